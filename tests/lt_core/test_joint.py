"""Joint generation and classification: what its stages are trained on, and what they cost."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from lt_core.errors import UserError
from lt_core.features import by_batches, probabilities_of
from lt_core.generation import Translation
from lt_core.generation.scores import Judge
from lt_core.models.cyclegan import Translator
from lt_core.models.flops import forward_flops
from lt_core.stages import stages_of
from lt_core.stages.joint import JointAug
from lt_core.training import Runtime, checkpoint, run_trial, trial_steps
from lt_core.training.running import stage_context

CPU = torch.device("cpu")
SMALL = {"gan_width": 4, "gan_blocks": 1}
PAIR = {"dataset": "digits_9v5", "imbalance_factor": 10, "n_max": 60}


@pytest.fixture
def stages(make_spec, make_split):
    """A function that gives all stages of a trial on a split made by hand, each run before the next is asked for."""

    def of(method, at=None, counts=(40, 20, 5), epochs=2, run=True, **recipe):
        spec = make_spec(method, {**SMALL, **(at or {})}, epochs=epochs, **recipe)
        for stage in stages_of(spec).trainings(stage_context(spec, make_split(list(counts)), CPU)):
            for _ in range(stage.training.epochs if run else 0):
                stage.training.run_epoch()
            yield stage

    return of


@pytest.fixture
def trainings(stages):
    """A function that gives the trainings of these stages."""
    return lambda *given, **keys: (stage.training for stage in stages(*given, **keys))


def blind() -> Judge:
    """A judge that cannot distinguish any images."""
    return Judge(lambda pixels: (torch.ones(len(pixels), 3) / 3, torch.ones(len(pixels), 2)), 0.0, "blind")


def test_a_classifier_is_evaluated_and_shows_pictures_and_generators_by_themselves_do_not(stages):
    generators, classifier = stages("joint_aug", {"gan_share": 0.5})
    assert not generators.evaluate and generators.pictures is None
    assert classifier.evaluate and [made["label"] for made in classifier.pictures(blind)] == [2]


def test_aug_puts_translated_images_behind_the_real_ones(trainings, make_split):
    _, classifier = trainings("joint_aug", {"gan_share": 0.5})
    real, grown = make_split([40, 20, 5]).train, classifier.split
    assert grown.drawn_counts.tolist() == [40, 20, 20] and grown.counts.tolist() == [40, 20, 5]
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
    assert alt.split.drawn_counts.tolist() == [40, 20, 20] and alt.split.counts.tolist() == [40, 20, 5]
    translation, seen = alt.step.config.translation, []
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
    step.turn = training.epoch  # the generators do not train in between
    positions = torch.tensor([3, 70])
    step(positions)
    source, label = training.split.train.pixels[70:71], training.split.train.labels[70:71]
    made = step.config.translation.make(source, label).float()
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
        return torch.cat([gan.to_b.body[0].weight.flatten() for gan in training.step.config.translation.gans.values()])

    assert not torch.equal(trained(1.0), trained(0.01)), "the loss flows back, the minority's by 1/γ"


def test_generators_have_a_turn_before_every_epoch(trainings):
    first, last = trainings("joint_alt", {"gan_length": 1.5}, epochs=4)
    assert (first.epochs, last.epochs) == (6, 4) and first.translation.epochs == first.translation.epoch == 10


@pytest.mark.parametrize("method", ["joint_aug", "joint_alt"])
def test_gamma_weighs_the_smaller_classes_and_them_alone(trainings, method):
    *_, training = trainings(method, {"minority_gamma": 0.25}, counts=(40, 5, 40))
    assert training.class_weights.tolist() == [1.0, 4.0, 1.0]
    *_, training = trainings(method, {"minority_gamma": 0.25, "gan_share": 0.0}, counts=(40, 5, 40))
    assert training.class_weights.tolist() == [1.0, 4.0, 1.0] and training.split.drawn_counts.tolist() == [40, 5, 40]


def test_class_balanced_weights_of_real_images_take_the_place_of_gamma(trainings):
    """(1 − β)/(1 − β^n) for 40, 20 and 5 images at β = 0.9, summing to 3, although each class has 40 with the generated ones."""
    *_, training = trainings("joint_aug", {"minority_beta": 0.9})
    raw = torch.tensor([0.1 / (1 - 0.9**n) for n in (40, 20, 5)])
    torch.testing.assert_close(training.class_weights, raw * 3 / raw.sum())
    assert training.split.drawn_counts.tolist() == [40, 40, 40]
    *_, weighted = trainings("joint_aug[weights=effective_number,cb_beta=0.9]", run=False)
    assert torch.equal(weighted.class_weights, training.class_weights)


@pytest.mark.parametrize("method", ["joint_aug", "joint_alt"])
def test_weights_and_margins_are_those_of_real_images(trainings, method):
    """Of 40, 20 and 5 images: 1/n, and n^(−1/4) up to 0.5, though each class has 40 with the made ones."""
    *_, training = trainings(f"{method}[weights=inverse,loss=ldam,head=cosine,scale=10]", run=False)
    inverse, rarity = ([float(n) ** power for n in (40, 20, 5)] for power in (-1, -0.25))
    assert training.class_weights.tolist() == pytest.approx([3 * w / sum(inverse) for w in inverse])
    cosines, labels = torch.tensor([[0.3, 0.1, 0.2]] * 3), torch.arange(3)
    for label, loss in enumerate(training.loss_of(cosines, labels).tolist()):
        shifted = cosines[0].clone()
        shifted[label] -= 0.5 * rarity[label] / rarity[2]
        assert loss == pytest.approx(-float((10 * shifted).log_softmax(0)[label]), rel=1e-5)


@pytest.mark.parametrize("method", ["joint_aug", "joint_alt"])
def test_priors_are_those_of_real_images(trainings, method):
    """π = 40/65, 20/65 and 5/65, in training and in a correction of predictions."""
    prior, logits = torch.tensor([40.0, 20.0, 5.0]) / 65, torch.tensor([[0.3, 0.1, 0.2]])
    *_, training = trainings(f"{method}[loss=logit_adjusted]", run=False)
    expected = -(logits + prior.log()).log_softmax(1)[:, 2]
    torch.testing.assert_close(training.loss_of(logits, torch.tensor([2])), expected)
    *_, training = trainings(f"{method}[posthoc=logit_adjustment]", run=False)
    images = training.split.test
    raw = by_batches(training, images, lambda outputs, features: outputs)
    torch.testing.assert_close(probabilities_of(training, images), (raw - prior.log()).softmax(1))


def test_a_sampling_counts_made_images_too(trainings):
    """Each class has 40 of the 120 images, and a third of the draws; by its real 5, the last one would have 87 of them."""
    *_, training = trainings("joint_aug[sampling=class_balanced]", run=False)
    seen = []
    training.objective = lambda outputs, features, labels: seen.append(labels) or outputs.sum()
    training.run_epoch()
    drawn = torch.bincount(torch.cat(seen))
    assert drawn.sum() == 120 and all(25 < n < 55 for n in drawn.tolist()), "within three standard deviations of 5.2"


def test_smote_behind_made_images_adds_to_the_real_sizes(trainings):
    *_, training = trainings("joint_aug[synthesis=smote]", {"gan_share": 0.5}, run=False)
    assert training.split.counts.tolist() == [40, 40, 25], "20 made by SMOTE for each, on top of 20 and 5"
    assert training.split.drawn_counts.tolist() == [40, 40, 40]


@pytest.mark.parametrize("method", ["joint_aug", "joint_alt"])
def test_on_balanced_data_both_classes_can_be_doubled(method, trainings, make_spec):
    *_, training = trainings(method, {"gan_share": 2.0}, counts=(20, 20))
    assert training.split.drawn_counts.tolist() == [40, 40] and training.split.counts.tolist() == [20, 20]
    assert training.class_weights.tolist() == [1.0, 1.0], "neither is the minority"


def test_doubling_both_classes_takes_one_cyclegan(make_spec):
    def of_an_epoch(share, factor):
        at = [{**SMALL, "gan_share": share, "gan_length": length} for length in (1.0, 2.0)]
        specs = [make_spec("joint_aug", one, data={**PAIR, "imbalance_factor": factor}, epochs=1) for one in at]
        one, two = (stages_of(spec).work(spec, 0) for spec in specs)
        return two - one

    assert of_an_epoch(2.0, 1) == pytest.approx(of_an_epoch(1.0, 60)) and of_an_epoch(1.0, 1) == 0


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
        next(steps)  # the checkpoint of an epoch is written when the next one is asked for
        steps.close()
    *_, result = trial_steps(spec, runtime)
    assert result.environment["resumed_at"], "it went on from a checkpoint"
    assert figures(result) == whole


def test_trials_whose_classifiers_alone_differ_share_their_cyclegans(make_spec, figures, tmp_path, monkeypatch):
    """As the one that trains them, and as the one that finds them; epochs and seconds count them each time."""
    first, second, other = (
        make_spec(f"joint_aug[{changed}]", SMALL, data=PAIR, epochs=2)
        for changed in ("minority_beta=0.9", "loss=focal,weights=inverse", "cycle_weight=1,loss=focal,weights=inverse")
    )
    alone = figures(run_trial(second))
    epochs, run_epoch = [], Translation.run_epoch
    monkeypatch.setattr(Translation, "run_epoch", lambda self, *given: epochs.append(1) or run_epoch(self, *given))
    shared = Runtime(stages=str(tmp_path))
    assert run_trial(first, shared).status == "ok" and len(epochs) == 2
    follower = run_trial(second, shared)
    assert figures(follower) == alone and len(epochs) == 2
    (stored,) = tmp_path.glob("*.pt")
    assert 0 < checkpoint.read(stored)["seconds"]["train"] < follower.seconds["train"]
    assert run_trial(other, shared).status == "ok" and len(epochs) == 4, "other generators"


def test_what_cyclegans_depend_on_is_what_they_are_shared_by(make_spec):
    def begun(method="joint_aug", data=PAIR, seed=0, **at):
        spec = make_spec(method, at, data=data, seed=seed)
        return stages_of(spec).begins_with(spec)

    plain = make_spec("joint_aug", data=PAIR)
    same = ({"minority_beta": 0.9}, {"minority_gamma": 0.5}, {"loss": "focal"}, {"step": "mixup"}, {"weights": "inverse"})
    assert all(begun(**at) == plain for at in ({}, *same))
    of_gans = {"gan_share": 0.5, "identity_weight": 1.0, "cycle_weight": 1.0, "gan_length": 2.0, "gan_lr": 1e-3, "gan_batch": 4}
    of_gans |= {"gan_width": 4, "gan_blocks": 1}
    assert all(begun(**{name: value}).method.params[name] == value for name, value in of_gans.items())
    known = {*of_gans, "gan_patches", "minority_gamma", "minority_beta"}
    assert {f.name for f in dataclasses.fields(JointAug)} == known, "a new parameter: do its CycleGANs depend on it?"
    assert begun(seed=1) == dataclasses.replace(plain, seed=1)
    assert begun("joint_alt") is None and begun(gan_share=0.0) is None


@pytest.mark.parametrize(
    ("method", "data", "words"),
    [
        (
            "joint_aug",
            {"imbalance_factor": 10, "label_fraction": 0.5},
            "joint_aug cannot use unlabelled images: remove label_fraction",
        ),
        (
            "joint_aug[gan_patches=large]",
            {"imbalance_factor": 10},
            "needs images of at least 32 pixels, and those of digits have 8",
        ),
        (
            "joint_alt[step=mixup]",
            {"imbalance_factor": 10},
            "joint_alt makes its own batches: remove step=mixup, or set stages=joint_aug",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(method, data, words, make_spec):
    result = run_trial(make_spec(method, data=data))
    assert result.status == "failed" and words in result.cause


def test_a_trial_with_generators_is_no_first_stage(make_spec):
    with pytest.raises(UserError, match="stage_one joint_aug has several stages itself"):
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
        assert result.status == "failed" and "joint_alt makes its own batches: remove" in result.cause
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
