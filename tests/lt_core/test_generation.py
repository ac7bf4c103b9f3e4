"""CycleGANs, and joint generation and classification."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lt_core.data.loader import Images
from lt_core.errors import UserError
from lt_core.generation import CycleGAN, Objective, Translation, filled, to_pixels, to_signed
from lt_core.models.cyclegan import PatchDiscriminator, Translator, halvings
from lt_core.models.flops import forward_flops
from lt_core.recipes import RECIPES
from lt_core.stages import Lab, stages_of
from lt_core.training import Runtime, run_trial, trial_steps

CPU = torch.device("cpu")
SMALL = {"gan_width": 4, "gan_blocks": 1}
PAIR = {"dataset": "digits_9v5", "imbalance_factor": 10, "n_max": 60}


def objective(**changes):
    return Objective(**{"identity_weight": 5.0, "cycle_weight": 10.0, "lr": 2e-3, "width": 8, "blocks": 1, **changes})


@pytest.mark.parametrize(
    ("shape", "times"), [((8, 8, 1), 0), ((14, 14, 1), 1), ((28, 28, 1), 2), ((32, 32, 3), 2), ((21, 32, 3), 0)]
)
def test_networks_keep_the_size_of_the_images(shape, times):
    images = torch.rand(2, shape[2], *shape[:2]) * 2 - 1
    assert halvings(*shape[:2]) == times
    with torch.no_grad():
        made = Translator(shape, 4, 1)(images)
        judged = PatchDiscriminator(shape, 4)(images)
    assert made.shape == images.shape and made.abs().max() <= 1
    assert judged.shape[:2] == (2, 1) and judged.shape[2] > 1, "patches, not an image"


def test_pixels_and_signed_values_are_inverse():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    assert to_signed(pixels).aminmax() == (-1, 1)
    torch.testing.assert_close(to_pixels(to_signed(pixels)).round().to(torch.uint8), pixels)


class Shift(nn.Module):
    def __init__(self, by):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, x):
        return x + self.by


class Verdict(Shift):
    def forward(self, x):
        return 0 * x.mean((1, 2, 3), keepdim=True) + self.by


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (5.0, 0.0), (0.0, 10.0), (0.5, 2.0)])
def test_the_objective_by_hand(alpha, beta):
    """Generators that add 0.3 and −0.1, discriminators that say 0.4 (A) and 0.9 (B) of everything, a classifier that adds 2."""
    gan = CycleGAN((8, 8, 1), objective(identity_weight=alpha, cycle_weight=beta), 0, CPU)
    gan.to_b, gan.to_a, gan.judge_a, gan.judge_b = Shift(0.3), Shift(-0.1), Verdict(0.4), Verdict(0.9)
    for optimizer, nets in ((gan.generators, (gan.to_b, gan.to_a)), (gan.discriminators, (gan.judge_a, gan.judge_b))):
        optimizer.param_groups[0]["params"] = [p for net in nets for p in net.parameters()]
    seen = {}

    def class_loss(for_a, for_b):
        seen.update(a=for_a.detach(), b=for_b.detach())
        return for_a.mean() * 0 + 2.0

    a, b = torch.full((3, 1, 8, 8), 0.5), torch.full((2, 1, 8, 8), -0.5)
    loss = gan.step(a, b, 1e-9, class_loss)
    adversarial, cycle, identity = 0.1**2 + 0.6**2, 2 * 0.2, 0.3 + 0.1
    assert float(loss) == pytest.approx(adversarial + beta * cycle + alpha * identity + 2, abs=1e-6)
    torch.testing.assert_close(seen["a"], b - 0.1)
    torch.testing.assert_close(seen["b"], a + 0.3)


def test_discriminators_minimise_the_least_squares_loss():
    """Half of (j − 1)² + j² has the slope 2j − 1: both move towards 1/2 when real and made look alike."""
    gan = CycleGAN((8, 8, 1), objective(), 0, CPU)
    gan.judge_a, gan.judge_b = Verdict(0.4), Verdict(0.9)
    gan.discriminators.param_groups[0]["params"] = [gan.judge_a.by, gan.judge_b.by]
    gan.step(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8), 1e-3)
    assert (float(gan.judge_a.by.grad), float(gan.judge_b.by.grad)) == pytest.approx((-0.2, 0.8), abs=1e-6)
    assert gan.judge_a.by > 0.4 and gan.judge_b.by < 0.9


@given(st.lists(st.integers(1, 500), min_size=2, max_size=9), st.floats(0, 1))
def test_classes_are_filled_up_to_a_share_of_the_largest(counts, share):
    sizes = filled(torch.tensor(counts, dtype=torch.float64), share).tolist()
    assert sizes == [max(n, int(share * max(counts))) for n in counts]


@pytest.fixture
def dark_and_bright():
    """40 dark images of class 0 and 4 bright ones of class 1, with noise."""
    from lt_core.data.loader import Split

    random = torch.Generator().manual_seed(0)
    labels = torch.tensor([0] * 40 + [1] * 4)
    pixels = torch.randint(0, 60, (44, 8, 8, 1), generator=random) + 180 * labels[:, None, None, None]
    images = Images(pixels.to(torch.uint8), labels)
    return Split(images, images, images, torch.tensor([40.0, 4.0], dtype=torch.float64), (8, 8, 1), "whole", "subset")


def translation(split, missing=(0, 36), epochs=20, seed=0, **changes):
    return Translation(split, torch.tensor(missing), objective(**changes), 16, RECIPES["digits"], seed, epochs)


def test_a_translation_learns_to_make_the_small_class_of_the_large_one(dark_and_bright):
    made = translation(dark_and_bright)
    assert made.head == 0 and made.missing.tolist() == [0, 36]
    pixels, labels = dark_and_bright.train.pixels[:40], torch.ones(40, dtype=torch.int64)
    before = to_pixels(made.make(pixels, labels)).mean()
    losses = [float(made.run_epoch()) for _ in range(20)]
    after = to_pixels(made.make(pixels, labels)).mean()
    assert losses[-1] < losses[0]
    assert abs(float(before) - 128) < 20 and float(after) > 175, "from nothing in particular to bright"


def test_a_translation_goes_on_from_its_state_to_the_bit(dark_and_bright):
    whole, first, second = (translation(dark_and_bright, width=4, epochs=3) for _ in range(3))
    whole_losses = [float(whole.run_epoch()) for _ in range(3)]
    first_losses = [float(first.run_epoch())]
    second.restore(copy.deepcopy(first.state()))
    assert first_losses + [float(second.run_epoch()) for _ in range(2)] == whole_losses
    other = translation(dark_and_bright, width=4, epochs=3, seed=1)
    assert float(other.run_epoch()) != whole_losses[0]


def test_sources_are_used_alike_and_stand_under_the_labels_of_what_they_become(dark_and_bright):
    made = translation(dark_and_bright, missing=(0, 96))
    grown = made.grown(dark_and_bright, translate=False)
    assert grown.train.labels.tolist() == [0] * 40 + [1] * 100
    uses = (grown.train.pixels[44:, None] == dark_and_bright.train.pixels[None, :40]).flatten(2).all(2).sum(0)
    assert sorted(uses.tolist()) == [2] * 24 + [3] * 16
    for _ in range(2):
        made.run_epoch()
    assert torch.equal(made.grown(dark_and_bright, translate=False).train.pixels, grown.train.pixels), "at any stage of training"


def test_a_generator_does_not_depend_on_what_else_is_made(make_split):
    split = make_split([40, 20, 5])
    both, one = (translation(split, missing=m, width=4, epochs=2) for m in ((0, 20, 35), (0, 0, 35)))
    for made in (both, one):
        made.run_epoch()
    assert set(both.gans) == {1, 2} and set(one.gans) == {2}
    mine, theirs = (made.gans[2].to_b.state_dict() for made in (both, one))
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.fixture
def trainings(make_spec, make_split):
    """All trainings of a trial on a split made by hand, each run before the next is asked for."""

    def of(method, at=None, counts=(40, 20, 5), epochs=2, run=True, **recipe):
        spec = make_spec(method, {**SMALL, **(at or {})}, epochs=epochs, **recipe)
        for training in stages_of(spec).rounds(Lab(spec, make_split(list(counts)), CPU)):
            for _ in range(training.epochs if run else 0):
                training.run_epoch()
            yield training

    return of


def test_aug_puts_translated_images_behind_the_real_ones(trainings, make_split):
    generators, classifier = trainings("joint_aug", {"gan_share": 0.5})
    real, grown = make_split([40, 20, 5]).train, classifier.split
    assert not generators.judged and classifier.judged
    assert grown.counts.tolist() == [40, 20, 20] and grown.labelled_counts.tolist() == [40, 20, 5]
    assert torch.equal(grown.train.pixels[:65], real.pixels) and grown.train.labels[65:].tolist() == [2] * 15
    made = grown.train.pixels[65:].unique(dim=0)
    assert len(made) > 10 and all((real.pixels != image).flatten(1).any(1).all() for image in made), "they are new"
    *_, again = trainings("joint_aug", {"gan_share": 0.5})
    *_, other = trainings("joint_aug", {"gan_share": 0.5, "cycle_weight": 0.0})
    assert torch.equal(again.split.train.pixels, grown.train.pixels)
    assert not torch.equal(other.split.train.pixels, grown.train.pixels)


def test_an_epoch_of_alt_has_as_many_images_of_each_class_as_augs_made_on_the_way(trainings):
    *_, aug = trainings("joint_aug", {"gan_share": 0.5})
    *_, alt = trainings("joint_alt", {"gan_share": 0.5}, run=False)
    assert torch.equal(alt.split.train.labels, aug.split.train.labels)
    assert alt.split.counts.tolist() == [40, 20, 20] and alt.split.labelled_counts.tolist() == [40, 20, 5]
    translation, seen = alt.step.how.translation, []
    alt.objective = lambda outputs, features, labels: seen.append(labels) or outputs.sum()
    make, asked = translation.make, []
    translation.make = lambda pixels, labels: asked.append(labels) or make(pixels, labels)
    alt.run_epoch()
    assert torch.bincount(torch.cat(seen)).tolist() == [40, 20, 20]
    assert torch.cat(asked).tolist() == [2] * 15, "only those behind the real images"
    assert alt.images_seen == 80 and translation.epoch == 1


def test_alt_shows_the_classifier_what_its_generators_make_now(trainings):
    *_, training = trainings("joint_alt", epochs=1, pad=0)
    shown = {}
    forward, step = training.forward, training.step
    training.forward = lambda images, labels=None, net=None: shown.update(images=images) or forward(images, labels, net)
    step.turn = training.epoch  # no turn of the generators in between
    positions = torch.tensor([3, 70])
    step(positions)
    source, label = training.split.train.pixels[70:71], training.split.train.labels[70:71]
    made = to_pixels(step.how.translation.make(source, label)).round().clamp(0, 255)
    expected = torch.cat([training.split.train.pixels[3:4].float(), made])
    torch.testing.assert_close(shown["images"], training.batches.normalise(expected))
    assert not torch.equal(made, source.float())


def test_the_generators_turn_leaves_the_classifier_as_it_is_and_feels_its_loss(trainings):
    def trained(gamma):
        *_, training = trainings("joint_alt", {"minority_gamma": gamma, "gan_length": 0.0}, run=False)
        before = copy.deepcopy(training.model.state_dict())
        training.step._generators_turn()
        assert all(torch.equal(value, before[name]) for name, value in training.model.state_dict().items())
        assert training.model.training and all(p.requires_grad for p in training.model.parameters())
        assert all(p.grad is None for p in training.model.parameters())
        return torch.cat([gan.to_b.body[0].weight.flatten() for gan in training.step.how.translation.gans.values()])

    assert not torch.equal(trained(1.0), trained(0.01)), "the loss flows back, the minority's by 1/γ"


def test_generators_have_a_turn_before_every_epoch(trainings):
    first, last = trainings("joint_alt", {"gan_length": 1.5}, epochs=4)
    assert (first.epochs, last.epochs) == (6, 4) and first.translation.epochs == first.translation.epoch == 10


@pytest.mark.parametrize("method", ["joint_aug", "joint_alt"])
def test_gamma_weighs_the_smaller_classes_and_them_alone(trainings, method):
    *_, training = trainings(method, {"minority_gamma": 0.25}, counts=(40, 5, 40))
    assert training.class_weights.tolist() == [1.0, 4.0, 1.0]
    *_, training = trainings(method, {"minority_gamma": 0.25, "gan_share": 0.0}, counts=(40, 5, 40))
    assert training.class_weights.tolist() == [1.0, 4.0, 1.0] and training.split.counts.tolist() == [40, 5, 40]


@pytest.mark.parametrize("data", [PAIR, {"dataset": "digits_1v2v3", "imbalance_factor": 10, "n_max": 60}], ids=["two", "three"])
@pytest.mark.parametrize("method", ["joint_aug", "joint_alt"])
def test_a_trial_that_was_stopped_anywhere_ends_in_the_same_figures(method, data, make_spec, figures, tmp_path):
    spec = make_spec(method, SMALL, data=data, epochs=3)
    whole = figures(run_trial(spec))
    runtime = Runtime(checkpoint=str(tmp_path / "trial.pt"), checkpoint_every=0.0)
    for _ in range(9):
        steps = trial_steps(spec, runtime)
        first = next(steps)
        if hasattr(first, "confusion"):
            break
        next(steps)  # the checkpoint of an epoch is written when the next is asked for
        steps.close()
    *_, result = trial_steps(spec, runtime)
    assert result.environment["resumed_at"], "it went on from a checkpoint"
    assert figures(result) == whole


@pytest.mark.parametrize(
    ("method", "data", "words"),
    [
        (
            "joint_aug",
            {"imbalance_factor": 10, "label_fraction": 0.5},
            "joint_aug knows no unlabelled images: drop label_fraction",
        ),
        (
            "joint_alt[step=mixup]",
            {"imbalance_factor": 10},
            "joint_alt makes batches of its own: drop step=mixup, or set stages=joint_aug",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(method, data, words, make_spec):
    result = run_trial(make_spec(method, data=data))
    assert result.status == "failed" and words in result.cause


def test_a_trial_with_generators_is_no_first_stage(make_spec):
    with pytest.raises(UserError, match="stage_one joint_aug has stages itself"):
        spec = make_spec("crt[stage_one=joint_aug]")
        stages_of(spec).check(spec)


PARTS = [
    "schedule=deferred,defer=0.5", "augment=tail", "sampling=under", "sampling=class_balanced", "synthesis=smote", "step=mixup",
    "loss=ldam,head=cosine", "loss=logit_adjusted", "weights=inverse", "regularizer=range",
]  # fmt: skip


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("stages", ["joint_aug", "joint_alt"])
def test_any_other_part_goes_with_made_images_or_is_refused(stages, parts, make_spec):
    spec = make_spec(f"softmax[{parts},stages={stages},gan_width=4,gan_blocks=1]", data=PAIR, epochs=2)
    result = run_trial(spec)
    if stages == "joint_alt" and parts.startswith(("schedule", "synthesis", "step")):
        assert result.status == "failed" and "joint_alt makes batches of its own: drop" in result.cause
    else:
        assert result.status == "ok", result.traceback


def test_work_is_counted_in_images_through_the_classifier(make_spec):
    """Ten classes of digits from 60 to 6 images, nine of them filled up; 60 pairs for each in every epoch of the CycleGANs."""

    def work(method, images=240, **at):
        spec = make_spec(method, {**SMALL, **at} if "joint" in method else at, epochs=3)
        return stages_of(spec).work(spec, images)

    maker = forward_flops(lambda: Translator((8, 8, 1), 4, 1), (8, 8, 1))
    assert maker == 2 * 64 * 9 * (4 + 2 * 16 + 4), "two operations a weight and pixel of four 3×3 convolutions"
    none, once, twice = (work("joint_aug", gan_length=length) for length in (0.0, 1.0, 2.0))
    assert twice - once == pytest.approx(once - none) and once > none
    assert none > work("softmax", 600), "as many images of each class as of the largest"
    assert work("joint_aug", gan_share=0.0) == work("softmax")
    assert work("joint_aug[step=mixup]", gan_share=0.0) == work("mixup")
    assert work("joint_alt", gan_length=0.0) > once, "the classifier judges"


@pytest.mark.parametrize(("share", "factor"), [(1.0, 1), (0.05, 10), (0.0, 10)])
def test_where_nothing_is_to_be_made_no_epoch_is_announced_for_it(share, factor, make_spec):
    spec = make_spec("joint_aug", {**SMALL, "gan_share": share}, data={**PAIR, "imbalance_factor": factor}, epochs=2)
    *progress, result = trial_steps(spec, Runtime())
    assert result.status == "ok" and (progress[-1].epoch, progress[-1].epochs) == (2, 2)
