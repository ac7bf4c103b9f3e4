from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lt_core.errors import UserError
from lt_core.models import build_model, check_model
from lt_core.models.heads import LinearHead
from lt_core.parts import GROUPS
from lt_core.protocols import StepContext
from lt_core.steps.bbn import TwoBranches
from lt_core.steps.meta_sampler import after_sgd
from lt_core.training import Runtime, run_trial
from lt_core.training.book import Clock
from lt_core.training.loop import Training
from lt_core.training.running import RunningTrial

CPU = torch.device("cpu")


@pytest.fixture
def at_work(make_spec, make_split):
    """A function that gives a training of ``method`` on a split of ``counts``, without augmentation."""

    def make(method, at=None, counts=(30, 10, 4), **recipe):
        return Training(make_spec(method, at, **{"pad": 0, "batch_size": 16, **recipe}), make_split(list(counts)), CPU)

    return make


def test_mixup_is_the_loss_of_mixed_images(at_work):
    """λ·L(y_a) + (1 − λ)·L(y_b) of λ·x_a + (1 − λ)·x_b, with the random numbers drawn again by hand."""
    training = at_work("mixup", model="mlp")
    positions = torch.arange(12)
    draws, order = copy.deepcopy(training.step.draws), training.order.get_state()
    found = training.step(positions)
    share = draws.beta(1.0, 1.0)
    training.order.set_state(order)
    partner = torch.randperm(12, generator=training.order)
    images, labels = training.images(positions)
    outputs = training.outputs(share * images + (1 - share) * images[partner])
    expected = share * F.cross_entropy(outputs, labels) + (1 - share) * F.cross_entropy(outputs, labels[partner])
    torch.testing.assert_close(found, expected)


def test_remix_gives_the_label_to_the_rarer_class():
    """Chou et al. 2020, Eq. 6, with κ = 3 and τ = 1/2."""
    remix, counts = GROUPS["step"]["remix"](), torch.tensor([90.0, 30.0, 20.0])
    a, b = torch.tensor([0, 0, 1, 2, 1]), torch.tensor([1, 2, 2, 0, 0])  # n_a/n_b: 3, 4.5, 1.5, 0.22, 0.33
    torch.testing.assert_close(remix.label_share(0.4, counts, a, b), torch.tensor([0.0, 0.0, 0.4, 0.4, 0.4]))
    torch.testing.assert_close(remix.label_share(0.6, counts, a, b), torch.tensor([0.6, 0.6, 0.6, 1.0, 1.0]))


def test_manifold_mixup_of_the_input_is_mixup_and_of_a_hidden_layer_is_not(at_work):
    """With the same mixing share, hidden mixing differs from input mixing, and all layers except the last group are drawn."""
    training, layers = at_work("manifold_mixup"), set()
    images, labels = training.images(torch.arange(12))
    partner = torch.arange(12).flip(0)
    mixed = training.forward(0.3 * images + 0.7 * images[partner])[0]
    for _ in range(30):
        seen = training.step.forward(images, labels, partner, 0.3)[0]
        layers.add(bool(torch.allclose(seen, mixed, atol=1e-5)))
    assert layers == {True, False}
    plain = training.forward(images)[0]
    torch.testing.assert_close(training.step.forward(images, labels, partner, 1.0)[0], plain)


@pytest.mark.parametrize(("step", "words"), [("manifold_mixup", "mixes hidden layers"), ("bbn", "duplicates the last block")])
def test_a_backbone_without_blocks_is_refused_before_anything_starts(step, words):
    with pytest.raises(UserError, match=f"{step} {words}.* MLP does not consist of"):
        check_model("mlp", (8, 8, 1), 10, LinearHead(), GROUPS["step"][step]().backbone)


def test_the_two_branches_share_all_but_the_last_block():
    net = build_model("resnet32", (32, 32, 3), 10, LinearHead(), change=TwoBranches)
    plain = build_model("resnet32", (32, 32, 3), 10, LinearHead())
    block = sum(p.numel() for p in plain.backbone.groups[-1][-1].parameters())
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in plain.parameters()) + block + 64 * 10
    assert not torch.equal(net.backbone.conventional.conv1.weight, net.backbone.rebalancing.conv1.weight)
    images = torch.randn(2, 3, 32, 32)
    net.eval()
    halves = [net.backbone.branch(images, block) for block in (net.backbone.conventional, net.backbone.rebalancing)]
    torch.testing.assert_close(net.backbone(images), torch.cat(halves, 1))


@pytest.mark.parametrize(("epoch", "alpha"), [(0, 1.0), (1, 0.75)])
def test_bbn_moves_from_the_conventional_branch_to_the_other(at_work, epoch, alpha):
    """α = 1 − (t/T)² weighs features and losses. At first, the re-balancing branch and its images have no weight."""
    training = at_work("bbn", epochs=2)
    training.epoch = epoch
    slopes = torch.autograd.grad(training.step(torch.arange(16)), list(training.model.parameters()), allow_unused=True)
    found = dict(zip((name for name, _ in training.model.named_parameters()), slopes, strict=True))
    theirs = found["backbone.rebalancing.convolution.weight"]
    assert theirs.abs().max() == 0 if alpha == 1 else theirs.abs().max() > 0
    # The classifier's slope on the conventional half is scaled by α.
    assert found["classifier.weight"][:, :64].abs().max() > 0
    assert (found["classifier.weight"][:, 64:].abs().max() == 0) == (alpha == 1)


@pytest.mark.parametrize("name", ["meta_weight_net", "l2rw", "meta_sampler_one_stage"])
@pytest.mark.parametrize("where", ["train", "validation"])
def test_meta_batches_hold_all_classes_alike(at_work, name, where):
    training = at_work(name, {"meta_set": where, "meta_images": 6}, counts=(200, 20, 2), batch_size=600)
    _, labels = training.step.meta_batch()
    assert (torch.bincount(labels) / 600 - 1 / 3).abs().max() < 0.06  # three standard deviations
    if where == "train":
        assert [int((training.split.train.labels[training.step.positions] == c).sum()) for c in range(3)] == [6, 6, 2]


def test_extra_meta_images_are_shuffled_and_never_more_than_there_are(at_work):
    training = at_work("l2rw", counts=(3, 3, 3), batch_size=16)
    step, normalise = training.step, training.batches.normalise
    wanted = {tuple(image.flatten().tolist()) for image in normalise(training.split.extra.pixels)}
    images, labels = step.meta_batch()
    assert torch.bincount(labels).tolist() == [3, 3, 3]
    assert {tuple(image.flatten().tolist()) for image in images} == wanted
    assert not torch.equal(step.meta_batch()[1], labels)


def test_extra_meta_images_come_from_beyond_the_subset(make_spec):
    """There are ten of each digit, which are neither trained on nor held out; the training images stay the same."""
    found = {}
    for name, check in (("meta_weight_net", True), ("softmax", False)):
        spec = make_spec(name, data={"imbalance_factor": 10, "n_max": 60, "validation": 5})
        trial = RunningTrial(spec, Runtime(), Clock())
        found[name] = trial.split
        assert (trial.split.extra is not None) == check
    split = found["meta_weight_net"]
    assert torch.bincount(split.extra.labels).tolist() == [10] * 10
    assert torch.equal(split.train.pixels, found["softmax"].train.pixels)
    extra, *others = (
        {image.numpy().tobytes() for image in part.pixels} for part in (split.extra, split.train, split.validation, split.test)
    )
    assert len(extra) == 100 and not any(extra & other for other in others)


def test_extra_meta_images_need_a_number(make_spec):
    result = run_trial(make_spec("l2rw", {"meta_images": 0}))
    assert result.status == "failed" and "meta_images is 0: set it to 1 or more" in result.cause


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_meta_sampler_looks_ahead_by_the_optimisers_own_next_step(at_work, nesterov):
    training = at_work("balanced_meta_softmax", epochs=3, nesterov=nesterov, weight_decay=0.01)
    training.run_epoch()
    parameters = dict(training.model.classifier.named_parameters())
    images, labels = training.images(torch.arange(16))
    training.model.eval()
    slopes = torch.autograd.grad(F.cross_entropy(training.outputs(images), labels), list(parameters.values()))
    ahead = after_sgd(parameters, dict(zip(parameters, slopes, strict=True)), training.optimizer)
    training.optimizer.zero_grad()
    for p, slope in zip(parameters.values(), slopes, strict=True):
        p.grad = slope
    assert not torch.equal(ahead["weight"], parameters["weight"])
    training.optimizer.step()
    for name, p in parameters.items():
        torch.testing.assert_close(ahead[name], p)


def test_the_released_look_ahead_goes_with_sgd(make_spec):
    result = run_trial(make_spec("balanced_meta_softmax", optimizer="adam"))
    assert result.status == "failed" and result.cause.endswith("set look_ahead=gradient")
    assert run_trial(make_spec("balanced_meta_softmax[look_ahead=gradient]", optimizer="adam", lr=1e-3)).status == "ok"


def test_l2rw_weighs_by_the_slope_of_the_meta_loss(at_work, monkeypatch):
    """w_i ∝ max(0, ⟨∇ℓ_i, ∇meta⟩), by hand, one image at a time."""
    training = at_work("l2rw", model="mlp", lr=0.01)
    training.train_mode()
    step, positions = training.step, torch.arange(6) * 6
    batch = training.images(torch.arange(20, 44))
    monkeypatch.setattr(step, "meta_batch", lambda: batch)
    parameters = list(training.model.parameters())
    meta = torch.autograd.grad(F.cross_entropy(training.outputs(batch[0]), batch[1]), parameters)
    images, labels = training.images(positions)
    losses = F.cross_entropy(training.outputs(images), labels, reduction="none")
    slopes = [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses]
    along = torch.stack([sum((a * b).sum() for a, b in zip(slope, meta, strict=True)) for slope in slopes]).relu()
    assert (along > 0).sum() > 0
    torch.testing.assert_close(step(positions), (along / along.sum() * losses).sum(), rtol=1e-4, atol=1e-5)


def test_meta_weight_net_learns_to_prefer_what_helps_the_meta_set(at_work):
    """Its weighting moves against the slope of the meta loss after a virtual step, as finite differences show."""
    training = at_work("meta_weight_net", {"mwn_lr": 1e-3}, model="mlp", lr=0.5)
    training.train_mode()
    step, positions = training.step, torch.arange(16)
    batch = training.images(torch.arange(20, 44))
    step.meta_batch = lambda: batch
    images, labels = training.images(positions)
    bias = step.net[2].bias

    def meta_loss(shift):
        with torch.no_grad():
            bias.add_(shift)
        parameters = step.parameters()
        losses = training.loss_of(step.outputs_at(parameters, images), labels)
        ahead = step.looked_ahead(parameters, (step.weigh(losses) * losses).sum())
        with torch.no_grad():
            bias.sub_(shift)
        return step.meta_loss(ahead)

    (slope,) = torch.autograd.grad(meta_loss(0.0), bias)
    assert slope.item() == pytest.approx((meta_loss(1e-2) - meta_loss(-1e-2)).item() / 2e-2, rel=0.02)
    before = [p.detach().clone() for p in step.net.parameters()]
    step(positions)
    assert any(not torch.equal(a, b) for a, b in zip(before, step.net.parameters(), strict=True))


def test_a_meta_step_leaves_the_network_alone(at_work):
    """Only the optimiser changes weights, and only the batch itself changes batch norm's statistics."""
    for name in ("meta_weight_net", "l2rw", "meta_sampler_one_stage"):
        training = at_work(name)
        training.train_mode()
        before = {k: v.clone() for k, v in training.model.state_dict().items()}
        training.step(torch.arange(16)).backward()
        for key, value in training.model.state_dict().items():
            if "num_batches" in key:
                assert value == before[key] + 1
            elif "running" not in key:
                assert torch.equal(value, before[key])


def test_the_meta_sampler_raises_the_rates_of_rare_classes(at_work):
    """If a head class fills the batches, the balanced meta loss asks for more of the tail."""
    training = at_work("meta_sampler_one_stage", {"sampler_lr": 0.1, "tau": 0.0}, counts=(300, 6), epochs=8)
    for _ in range(8):
        training.run_epoch()
    assert training.step.rates[1] > training.step.rates[0]


@pytest.mark.parametrize("name", ["mixup", "meta_weight_net", "meta_sampler_one_stage"])
def test_what_a_step_has_learnt_survives_a_checkpoint(at_work, name):
    ours, theirs = at_work(name, epochs=3), at_work(name, epochs=3)
    ours.run_epoch()
    theirs.restore(copy.deepcopy(ours.state()))
    assert ours.run_epoch() == theirs.run_epoch()
    assert all(torch.equal(a, b) for a, b in zip(ours.model.parameters(), theirs.model.parameters(), strict=True))


def test_a_step_may_ask_for_nothing_that_no_step_asks_for():
    """`StepContext` is an interface for authors of steps, so it has only what our own steps need."""
    root = Path(__file__).parents[2]
    written = "".join(file.read_text() for folder in ("lt_core/steps", "docs/examples") for file in (root / folder).glob("*.py"))
    listed = {name for base in StepContext.__mro__ for name in vars(base) if not name.startswith("_")}
    assert {name for name in listed if not re.search(rf"\b\w+\.{name}\b", written)} == set()
