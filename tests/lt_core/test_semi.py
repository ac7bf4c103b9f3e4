"""Objectives on unlabelled images, and CReST's generations."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F

from lt_core.data.longtail import class_order, ideal_sizes
from lt_core.errors import UserError
from lt_core.features import probabilities_of
from lt_core.fields import build
from lt_core.parts import GROUPS
from lt_core.recipes import RECIPES
from lt_core.spec import DataSpec
from lt_core.stages import stages_of
from lt_core.stages.base import second_recipe
from lt_core.stages.crest import align_powers, keep_rates, select
from lt_core.steps.abc import kept
from lt_core.steps.fixmatch import pass_rates
from lt_core.training import Runtime, run_trial, trial_steps
from lt_core.training.after_step import move_average, shrink
from lt_core.training.loop import Training
from lt_core.training.running import stage_context
from lt_core.training.tape import Tape

CPU = torch.device("cpu")
DATA = {"imbalance_factor": 10, "n_max": 60, "label_fraction": 0.5}
QUICK = {"steps": 4, "epochs": 2, "batch_size": 8}


@pytest.fixture
def at_work(make_spec, make_split):
    """A function that gives a training with labelled and unlabelled images made by hand."""

    def make(method, at=None, counts=(12, 6, 3), unlabelled=(20, 10, 5), **recipe):
        spec = make_spec(method, at, data=DATA, **{**QUICK, "ema": 0.9, "pad": 0, **recipe})
        split = dataclasses.replace(make_split(list(counts)), unlabelled=make_split(list(unlabelled)).train.nameless())
        return Training(spec, split, CPU)

    return make


def test_keep_rates_by_the_papers_example():
    """L = 10, γ = 100: μ_10 = 1 and μ_1 = 0.01^α, whatever the order of the labels."""
    counts = torch.tensor([100 * 0.01 ** (i / 9) for i in range(10)], dtype=torch.float64)
    for alpha in (1 / 3, 1.0):
        rates = keep_rates(counts, alpha)
        assert rates[9].item() == pytest.approx(1.0)
        assert rates[0].item() == pytest.approx(0.01**alpha)
        assert (rates.diff() > 0).all()
        order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(keep_rates(counts[order], alpha), rates[order])
    assert keep_rates(counts, 0.0).tolist() == [1.0] * 10


def test_the_most_confident_of_each_predicted_class_are_kept():
    said = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9], [0.45, 0.55]])
    positions, labels = select(said, torch.tensor([0.5, 1.0]))
    assert positions.tolist() == [0, 2, 4, 5] and labels.tolist() == [0, 0, 1, 1]
    assert select(said, torch.tensor([0.49, 0.6]))[0].tolist() == [0, 4]  # int(4 · 0.49) and int(2 · 0.6)


def test_alignment_powers():
    assert align_powers(6, 0.5) == pytest.approx([1.0, 0.9, 0.8, 0.7, 0.6, 0.5])
    assert align_powers(1, 0.5) == [1.0]


def test_pass_rates_thin_out_the_head():
    """With r_c the opposite class's size over the largest, mean is r^(1/3) and reverse is r^(2/3); random lets all pass."""
    counts = torch.tensor([8.0, 1000.0, 64.0])
    torch.testing.assert_close(pass_rates("mean", counts), torch.tensor([1.0, 0.2, 0.4]))
    torch.testing.assert_close(pass_rates("reverse", counts), torch.tensor([1.0, 0.04, 0.16]))
    assert pass_rates("random", counts).tolist() == [1.0] * 3


def test_fixmatch_by_hand(at_work):
    """The labelled loss + the mean over unlabelled images of mask · CE(strong view, weak view's guess), in one forward pass."""
    training = at_work("fixmatch", {"threshold": 0.4, "unsup_ratio": 2})
    step, positions = training.step, torch.arange(6)
    before = copy.deepcopy(step.state())
    found = step(positions)
    mask_rate = step.report()["mask_rate"]
    step.restore(before)
    unlabelled = step.unlabelled(12)
    pixels = step.stream.pixels(unlabelled, step.draw)
    strong = step.strong_view(unlabelled, pixels)
    images, labels = training.images(positions)
    outputs, _ = training.forward(torch.cat([images, step.stream.normalise(pixels), step.stream.normalise(strong)]))
    said = outputs[6:18].softmax(1)
    mask = (said.max(1).values >= 0.4).float()
    assert 0 < mask.mean() == pytest.approx(mask_rate)
    expected = (
        F.cross_entropy(outputs[:6], labels) + (F.cross_entropy(outputs[18:], said.argmax(1), reduction="none") * mask).mean()
    )
    torch.testing.assert_close(found, expected)


def test_two_strong_views_are_averaged_over_and_drawn_apart(at_work):
    """The mean over both of mask · CE(strong view, the weak view's guess), as in Bi-Sampling's code."""
    training = at_work("fixmatch", {"threshold": 0.75, "unsup_ratio": 2, "strong_views": 2})
    step, positions = training.step, torch.arange(6)
    before = copy.deepcopy(step.state())
    found = step(positions)
    step.restore(before)
    unlabelled = step.unlabelled(12)
    pixels = step.stream.pixels(unlabelled, step.draw)
    views = [pixels, *(step.strong_view(unlabelled, pixels) for _ in range(2))]
    assert not torch.equal(views[1], views[2])
    images, labels = training.images(positions)
    outputs, _ = training.forward(torch.cat([images, *map(step.stream.normalise, views)]))
    said = outputs[6:18].softmax(1)
    mask = (said.max(1).values >= 0.75).float()
    assert 0 < mask.mean() < 1
    each = [(F.cross_entropy(strong, said.argmax(1), reduction="none") * mask).mean() for strong in outputs[18:].chunk(2)]
    torch.testing.assert_close(found, F.cross_entropy(outputs[:6], labels) + sum(each) / 2)
    assert training.step.config.cost == 1 + 3 * 2


def test_the_ideal_profile_gives_the_public_codes_rates_and_targets(make_spec, make_split):
    """CIFAR-10-LT with γ = 100: golden values from the public code, whatever the labelled counts were rounded to."""
    data = build(DataSpec, {"dataset": "cifar10", "imbalance_factor": 100, "label_fraction": 0.1})
    counts = torch.tensor([500, 300, 180, 108, 65, 39, 24, 14, 9, 5], dtype=torch.float64)
    sizes = ideal_sizes(data, counts)
    rates = [0.2154, 0.2555, 0.3030, 0.3594, 0.4262, 0.5055, 0.5995, 0.7110, 0.8432, 1.0]
    for alpha, expected in ((1 / 3, rates), (0.0, [1.0] * 10)):
        assert keep_rates(sizes, alpha).tolist() == pytest.approx(expected, abs=6e-4)
    half = [0.2447, 0.1894, 0.1467, 0.1136, 0.0879, 0.0681, 0.0527, 0.0408, 0.0316, 0.0245]
    assert (sizes.sqrt() / sizes.sqrt().sum()).tolist() == pytest.approx(half, abs=6e-5)
    shuffled = dataclasses.replace(data, class_order_seed=3)
    assert ideal_sizes(shuffled, counts)[class_order(shuffled, 10)].tolist() == sizes.tolist()
    natural = DataSpec("cifar10", "natural", label_fraction=0.1)
    assert ideal_sizes(natural, counts) is counts

    spec = make_spec("crest_plus", {"generations": 2}, data={**DATA, "label_fraction": 0.1}, **QUICK, ema=0.9)
    split = dataclasses.replace(make_split([6] * 10), unlabelled=make_split([9] * 10).train.nameless())
    training = next(iter(stages_of(spec).trainings(stage_context(spec, split, CPU)))).training
    ideal = 0.1 ** (torch.arange(10) / 9)
    torch.testing.assert_close(training.step.alignment.target, (ideal / ideal.sum()).float(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_the_threshold_decides_what_takes_part(at_work, threshold):
    step = at_work("fixmatch", {"threshold": threshold}).step
    step(torch.arange(8))
    assert step.report()["mask_rate"] == 1 - threshold
    assert step.report()["mask_rate"] != step.report()["mask_rate"], "nothing was seen since: not a number"


def test_no_gradient_flows_through_the_guess(at_work):
    training = at_work("fixmatch", {"threshold": 0.0})
    seen = []
    training.step.strong_view = lambda positions, weak: weak * 0  # a strong view without any information
    original = training.forward

    def forward(images, labels=None, net=None):
        outputs, features = original(images, labels, net)
        outputs.retain_grad()
        seen.append(outputs)
        return outputs, features

    training.forward = forward
    training.step(torch.arange(8)).backward()
    assert (seen[0].grad[8 : 8 + 56] == 0).all() and (seen[0].grad[8 + 56 :] != 0).any()


def test_alignment_moves_predictions_by_target_over_said(at_work):
    training = at_work("fixmatch", {"align": 0.5})
    step, said = training.step, torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
    target = torch.tensor([12.0, 6.0, 3.0]).sqrt()
    moved = said * (target / target.sum() + 1e-6) / (1 / 3 + 1e-6)  # the memory is uniform at first
    torch.testing.assert_close(step.aligned(said), moved / moved.sum(1, keepdim=True))
    torch.testing.assert_close(step.alignment.said.sum(0), torch.full((3,), 127 / 3) + said.mean(0), atol=1e-4, rtol=0)


def test_every_unlabelled_image_comes_once_a_pass(at_work):
    step = at_work("fixmatch").step
    assert len(step.stream.labels) == 35 + 21  # CReST's stream also has the labelled images
    drawn = torch.cat([step.unlabelled(7) for _ in range(16)])
    assert torch.bincount(drawn).tolist() == [2] * 56
    assert (step.stream.labels == -1).all()


def test_the_auxiliary_classifier_keeps_classes_alike_at_the_end():
    counts = torch.tensor([100.0, 20.0, 5.0])
    assert kept(counts).tolist() == pytest.approx([0.05, 0.25, 1.0])
    assert kept(counts, 0.0).tolist() == [1.0] * 3
    assert kept(counts, 0.5).tolist() == pytest.approx([0.525, 0.625, 1.0])


@pytest.mark.parametrize("views", [1, 2])
def test_the_auxiliary_losses_by_hand(at_work, views):
    """If every image passes: FixMatch on the main classifier, plus cross-entropy and soft consistency of the auxiliary one, which
    is summed over the strong views as in the public code.
    """
    at = {"threshold": 0.5 if views == 1 else 0.6, "unsup_ratio": 2, "strong_views": views}
    training = at_work("abc", at, counts=(6, 6, 6), unlabelled=(8, 8, 8))  # nothing to thin out
    step, positions = training.step, torch.arange(6)
    before = copy.deepcopy(step.state())
    found = step(positions)
    step.restore(before)
    auxiliary, features = step.views(*training.images(positions), step.unlabelled(12))
    main, labels = training.model.classifier.main(features), training.images(positions)[1]
    assert not torch.equal(main, auxiliary)
    said = auxiliary[6:18].softmax(1).detach()
    mask = (said.max(1).values >= at["threshold"]).float()
    assert 0 < mask.mean() < 1
    supervised = F.cross_entropy(auxiliary[:6], labels)
    strong = auxiliary[18:].chunk(views)
    consistency = sum((-(said * one.log_softmax(1)).sum(1) * mask).mean() for one in strong)
    torch.testing.assert_close(found, step.total(main, features, labels) + supervised + consistency)


def test_rare_classes_take_part_in_the_auxiliary_loss_and_common_ones_seldom(at_work):
    step = at_work("abc", {"unsup_ratio": 1}).step
    drawn = torch.stack([step._mask(kept(step.counts)[torch.tensor([0, 1, 2])]) for _ in range(4000)])
    assert drawn.mean(0).tolist() == pytest.approx([3 / 12, 3 / 6, 1.0], abs=0.03)


def test_mean_teacher_learns_from_the_averaged_model(at_work):
    training = at_work("mean_teacher", {"ramp": 0.0, "consistency": 10.0, "unsup_ratio": 7})
    with torch.no_grad():
        for p in training.averaged.parameters():
            p.mul_(0)  # a teacher for which all classes are equally likely
    before = training.step.state()
    found = training.step(torch.arange(8))
    training.step.restore(before)
    images, labels = training.images(torch.arange(8))
    unlabelled = training.step.unlabelled(56)
    view = training.step.stream.normalise(training.step.stream.pixels(unlabelled, training.step.draw))
    outputs, _ = training.forward(torch.cat([images, view]))
    expected = F.cross_entropy(outputs[:8], labels) + 10 * (outputs[8:].softmax(1) - 1 / 3).square().mean()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("ema_norms", ["copied", "averaged"])
def test_the_averaged_model_is_a_moving_average_and_is_what_predicts(at_work, ema_norms):
    training = at_work("softmax", ema=0.9, ema_norms=ema_norms)
    expected = {k: v.clone() for k, v in training.model.state_dict().items()}
    step = training.optimizer.step

    def counted():
        step()
        for k, v in training.model.state_dict().items():
            average = "num_batches" not in k and ("running" not in k or ema_norms == "averaged")
            expected[k] = 0.9 * expected[k] + 0.1 * v if average else v.clone()

    training.optimizer.step = counted
    training.run_epoch()
    for k, v in training.evaluated.state_dict().items():
        torch.testing.assert_close(v, expected[k])
    assert training.evaluated is training.averaged


@pytest.mark.parametrize(("ema_norms", "types"), [("copied", 2), ("averaged", 1)])
def test_an_average_takes_one_operation_and_one_for_each_type_that_is_copied(at_work, ema_norms, types):
    """Statistics are of one type and numbers of batches of another. On a GPU, every copy would be a launch."""
    training = at_work("softmax", ema=0.9, ema_norms=ema_norms)
    with Tape() as tape:
        move_average(training.averaged, training.model, training.recipe)
    names = [one.func._overloadpacket.__name__ for one in tape.operations]
    assert sorted(names) == ["_foreach_copy_"] * types + ["_foreach_lerp_"]


def test_all_that_is_not_frozen_shrinks_after_it_was_averaged(at_work):
    """Bi-Sampling's weight decay shrinks weights and batch norm's statistics alike, but not its number of batches."""
    training = at_work("softmax", ema=0.5, ema_norms="averaged", shrink=0.25)
    training.frozen = [training.model.backbone.groups[0]]
    before = {k: v.clone() for k, v in training.model.state_dict().items()}
    move_average(training.averaged, training.model, training.recipe)
    shrink(training.model, training.frozen, training.recipe.shrink)
    for (name, old), new in zip(before.items(), training.model.state_dict().values(), strict=True):
        kept = name.startswith("backbone.groups.0") or "num_batches" in name
        assert torch.equal(new, old if kept else old * 0.75), name
    assert all(torch.equal(v, before[k]) for k, v in training.averaged.state_dict().items())

    weights = at_work("softmax", shrink=0.25, lr=1e-30, warmup_epochs=0, steps=1)
    start = weights.model.classifier.weight.clone()
    weights.run_epoch()
    assert torch.equal(weights.model.classifier.weight, start * 0.75)


def test_an_epoch_of_steps_passes_over_the_images_as_often_as_it_takes(at_work):
    training = at_work("softmax", steps=10, batch_size=8)
    order = training._order(training.sampling)
    assert len(order) == 80
    assert torch.bincount(order[:63]).tolist() == [3] * 21


def test_crest_grows_the_labelled_set_and_keeps_the_unlabelled_one(make_spec, make_split):
    spec = make_spec("crest_plus", {"generations": 3}, data=DATA, **QUICK, ema=0.9)
    split = dataclasses.replace(make_split([12, 6, 3]), unlabelled=make_split([20, 10, 5]).train.nameless())
    aligned = []
    for number, stage in enumerate(stages_of(spec).trainings(stage_context(spec, split, CPU))):
        training = stage.training
        aligned.append(training.step.fix.align)
        assert torch.equal(training.split.train.pixels[:21], split.train.pixels), "always added to the original images"
        assert training.split.unlabelled is split.unlabelled
        assert training.split.labelled_counts.tolist() == [12, 6, 3]
        assert training.split.counts.sum() == len(training.split.train)
        assert (training.split.counts.sum() > 21) == (number > 0)
        for _ in range(training.epochs):
            training.run_epoch()
    assert aligned == [1.0, 0.75, 0.5]


@pytest.mark.parametrize("profile", ["counts", "ideal"])
def test_crest_takes_images_at_the_rates_of_its_profile(make_spec, make_split, profile):
    """Labelled counts are equal in data with an imbalance factor of 10, so only the ideal profile thins out the head."""
    spec = make_spec("crest", {"generations": 2, "crest_profile": profile, "unsup_weight": 0.0}, data=DATA, **QUICK, ema=0.9)
    split = dataclasses.replace(make_split([6] * 10), unlabelled=make_split([40] * 10).train.nameless())
    stages = stages_of(spec).trainings(stage_context(spec, split, CPU))
    first = next(stages).training
    for _ in range(first.epochs):
        first.run_epoch()
    guessed = torch.bincount(probabilities_of(first, split.unlabelled).argmax(1), minlength=10)
    taken = next(stages).training.split.counts - split.counts
    rates = [(0.1 ** ((9 - c) / 9)) ** (1 / 3) if profile == "ideal" else 1.0 for c in range(10)]
    assert taken.tolist() == [int(n * rate) for n, rate in zip(guessed.tolist(), rates, strict=True)]
    assert (taken.sum() < 400) == (profile == "ideal")


@pytest.mark.parametrize("ema_norms", ["copied", "averaged"])
def test_a_teacher_leaves_the_averaged_statistics_as_they_are(at_work, ema_norms):
    training = at_work("mean_teacher", ema_norms=ema_norms)
    before = {k: v.clone() for k, v in training.averaged.state_dict().items()}
    training.step(torch.arange(8))
    assert all(torch.equal(v, before[k]) for k, v in training.averaged.state_dict().items())


def test_a_second_stage_shrinks_as_its_rate_says():
    """It shrinks by 0.02 of the rate per step, as in Bi-Sampling's code: 4e-5 at 0.002, 2e-6 at 1e-4."""
    second = second_recipe(RECIPES["cifar_bisampling"], 0.12, 0.05)
    assert (second.epochs, second.lr, second.shrink) == (60, pytest.approx(1e-4), pytest.approx(2e-6))


def test_one_generation_of_crest_is_fixmatch_to_the_bit(make_spec, figures):
    fixmatch = run_trial(make_spec("fixmatch", {"strong_augment": "crest"}, data=DATA, **QUICK))
    for at in ({"generations": 1}, {"generations": 1, "crest_alpha": 1e9}):
        crest = run_trial(make_spec("crest", at, data=DATA, **QUICK))
        assert crest.status == "ok", crest.traceback
        assert figures(crest) == figures(fixmatch) and crest.generations == fixmatch.generations


def test_a_diagnosis_is_kept_for_every_generation(make_spec):
    result = run_trial(make_spec("crest", {"generations": 2}, data=DATA, **QUICK))
    assert result.to_record()["rounds"] == result.generations  # the name that records have always used
    assert [made["round"] for made in result.generations] == [0, 1]
    assert result.generations[0]["taken"] == [0] * 10 and sum(result.generations[1]["taken"]) > 0
    assert [row["epoch"] for row in result.curve] == [1, 2, 3, 4]
    assert all(0 <= row["mask_rate"] <= 1 for row in result.curve)
    recall = [row[c] / sum(row) for c, row in enumerate(result.confusion)]
    assert result.generations[1]["test_recall"] == pytest.approx(recall)


@pytest.mark.parametrize(
    ("method", "killed_after"),
    [("crest", 3), ("crest", 5), ("crest_plus", 5), ("bi_sampling", 1), ("bi_sampling", 3), ("mean_teacher", 3)],
)
def test_a_kill_in_a_generation_resumes_there(make_spec, figures, tmp_path, method, killed_after):
    """With two epochs per generation, CReST is in its third generation after five epochs."""
    at = {"generations": 3} if "crest" in method else {"retrain": 1.0} if method == "bi_sampling" else {}
    spec = make_spec(
        method, at, data=DATA, **{**QUICK, "ema": 0.9, "eval_every": 1, "epochs": 4 if method == "mean_teacher" else 2}
    )
    whole = run_trial(spec)
    runtime = Runtime(checkpoint=str(tmp_path / "trial.pt"), checkpoint_every=0)
    steps = trial_steps(spec, runtime)
    for _ in range(killed_after):
        next(steps)
    steps.close()
    *progress, result = trial_steps(spec, runtime)
    assert figures(result) == figures(whole) and result.generations == whole.generations
    assert len(progress) <= (6 if "crest" in method else 4) - killed_after + 1


def test_a_method_without_what_it_needs_is_refused(make_spec):
    for label, recipe, words in (
        ("fixmatch", {}, "the data has none: set label_fraction below 1"),
        ("crest", {}, "set label_fraction below 1"),
    ):
        spec = make_spec(label, **recipe)
        with pytest.raises(UserError, match=words):
            for group in ("step", "stages"):
                GROUPS[group][spec.method.params[group]]().check(spec)
    result = run_trial(make_spec("mean_teacher", data=DATA))
    assert result.status == "failed" and "does not average them: set ema in the recipe" in result.cause
    result = run_trial(make_spec("crest_plus[step=pseudo_label]", data=DATA))
    assert result.status == "failed" and "progressive alignment works only with FixMatch" in result.cause
