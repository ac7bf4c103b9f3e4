from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from lt_core.data.trial_images import TrialImages
from lt_core.errors import UserError
from lt_core.features import features_of
from lt_core.methods import resolve
from lt_core.stages import check_trial, stage_one, stages_of
from lt_core.stages.curriculum import EasyFirst
from lt_core.training import Runtime, checkpoint, run_trial, runtime, trial_steps
from lt_core.training.evaluate import evaluate
from lt_core.training.loop import Training
from lt_core.training.running import stage_context

CPU = torch.device("cpu")
DATA = {"imbalance_factor": 10, "n_max": 60, "validation": 2}
FROM_STAGE_ONE = ["crt", "lws", "tau_norm", "ncm", "fine_tune_balanced", "smote_features", "curriculum", "balanced_meta_softmax"]


@pytest.fixture
def stages(make_spec, make_split):
    """A function that trains all stages of a trial, and gives each with the network that it started from."""

    def of(method, at=None, counts=(40, 20, 5), **recipe):
        spec, made = make_spec(method, at, **recipe), []
        for stage in stages_of(spec).trainings(stage_context(spec, make_split(list(counts)), CPU)):
            before = {k: v.clone() for k, v in stage.training.model.state_dict().items()}
            for _ in range(stage.training.epochs):
                stage.training.run_epoch()
            made.append((stage, before))
        return made

    return of


@pytest.fixture
def trainings(stages):
    """A function that gives the trainings of these stages."""
    return lambda *given, **keys: [(stage.training, before) for stage, before in stages(*given, **keys)]


def changed(training, before):
    return {k for k, v in training.model.state_dict().items() if not torch.equal(v, before[k])}


def test_crt_trains_a_fresh_classifier_and_nothing_else(trainings):
    (first, _), (second, before) = trainings("crt", {"retrain": 1.0})
    assert changed(second, before) == {"classifier.weight", "classifier.bias"}
    assert not torch.equal(before["classifier.weight"], first.model.classifier.weight)


def test_lws_trains_one_scale_a_class_and_nothing_else(trainings):
    (first, _), (second, before) = trainings("lws", {"retrain": 1.0})
    assert changed(second, before) == {"classifier.scale"}
    features = torch.randn(4, 64)
    torch.testing.assert_close(
        second.model.classifier(features), second.model.classifier.scale * first.model.classifier(features)
    )


@pytest.mark.parametrize("name", ["crt", "lws"])
def test_a_second_stage_may_move_batch_norms_statistics_as_the_public_code_does(trainings, name):
    """The weights below do not change, and neither do the statistics of evaluation, unless asked otherwise."""
    (_, _), (second, before) = trainings(name, {"retrain": 1.0, "kept_norms": "training"})
    below = {key.rsplit(".", 1)[-1] for key in changed(second, before) if key.startswith("backbone")}
    assert below == {"running_mean", "running_var", "num_batches_tracked"}
    second.train_mode()
    assert all(module.training for module in second.model.backbone.modules())


def test_fine_tuning_goes_on_with_all_weights(trainings):
    (_, start), (second, before) = trainings("fine_tune_balanced", {"retrain": 1.0})
    assert "backbone.groups.0.0.convolution.weight" in changed(second, before)
    assert any(not torch.equal(before[k], start[k]) for k in before), "it goes on from trained weights"
    assert second.recipe.lr == pytest.approx(0.1 * second.spec.recipe.lr)


def test_tau_normalisation_by_hand_and_its_choice_on_the_validation_split(trainings, stages):
    for tau in (0.0, 0.7, 2.0):
        (first, _), (last, _) = trainings("tau_norm", {"norm_tau": tau})
        weight = first.model.classifier.weight
        torch.testing.assert_close(last.model.classifier.weight, weight / weight.norm(dim=1, keepdim=True) ** tau)
        assert last.model.classifier.bias is None and last.epochs == 0
    (begun, _), (ended, _) = stages("tau_norm", data=DATA)
    first, last, accuracies = begun.training, ended.training, {}
    for i in range(21):
        last.model.classifier.weight.data = first.model.classifier.weight / first.model.classifier.weight.norm(
            dim=1, keepdim=True
        ) ** (i / 10)
        accuracies[i / 10] = evaluate(last, last.split.validation).balanced_accuracy
    assert accuracies[ended.chosen["norm_tau"]] == pytest.approx(max(accuracies.values()), abs=1e-9)


def test_ncm_is_the_nearest_mean_of_centred_unit_features(trainings):
    (first, _), (last, _) = trainings("ncm")
    features, labels = features_of(first, first.split.train), first.split.train.labels
    unit = F.normalize(features - features.mean(0), dim=1)
    means = torch.stack([unit[labels == c].mean(0) for c in range(3)])
    expected = ((unit[:, None] - means[None]) ** 2).sum(2).argmin(1)
    assert evaluate(last, first.split.train).confusion.tolist() == [
        [int(((labels == a) & (expected == b)).sum()) for b in range(3)] for a in range(3)
    ]


def test_features_are_filled_up_in_place_of_pixels(trainings):
    (first, _), (second, _) = trainings("smote_features", {"retrain": 1.0})
    assert second.split.drawn_counts.tolist() == [40, 40, 40]
    stored = features_of(first, first.split.train)
    torch.testing.assert_close(second.split.train.pixels[:65, 0, 0], stored)
    images = second.batches.normalise(second.split.test.pixels)  # what evaluation sees
    torch.testing.assert_close(second.model.backbone(images), features_of(first, first.split.test), rtol=1e-4, atol=1e-5)


def test_released_balms_retrains_a_fresh_classifier_of_a_softmax_network_with_its_meta_sampler(trainings):
    """config/CIFAR10_LT/balms_imba200.yaml of its repository: 2,000 of 13,000 steps, a cosine from the rate 0.1, sampler 0.01."""
    (first, _), (second, _) = trainings("balanced_meta_softmax", counts=(40, 20, 5), epochs=13)
    assert first.spec.method == resolve("softmax")
    assert (second.epochs, second.recipe.lr, second.recipe.decay) == (2, first.recipe.lr, "cosine")
    assert second.frozen == [second.model.backbone] and second.model.backbone is first.model.backbone
    assert second.model.classifier is not first.model.classifier
    shift = torch.tensor([40.0, 20.0, 5.0]).log()
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    torch.testing.assert_close(second.loss_of(logits, labels), F.cross_entropy(logits + shift, labels, reduction="none"))
    step = second.step
    assert len(step.positions) == 65, "all training images, every class as likely as another"
    assert (step.optimizer.param_groups[0]["lr"], step.rates.abs().max() > 0) == (0.01, True)


def test_an_ensemble_averages_probabilities_of_models_on_balanced_parts(trainings):
    made = trainings("easy_ensemble", {"members": 3}, counts=(40, 20, 5), epochs=4)
    *members, (whole, _) = made
    parts = []
    for member, _ in members:
        positions = member.sampling.positions
        assert torch.bincount(member.split.train.labels[positions]).tolist() == [5, 5, 5]
        parts.append(set(positions.tolist()))
        assert len(member.sampling.epoch(None, None, member.order)) == 15 * round(65 / 45)
    assert len({frozenset(part) for part in parts}) == 3
    images = whole.batches.normalise(whole.split.test.pixels[:7])
    for training, _ in made:
        training.model.eval()
    with torch.no_grad():
        mean = torch.stack([member.outputs(images).softmax(1) for member, _ in members]).mean(0)
        torch.testing.assert_close(whole.outputs(images).softmax(1), mean)


def test_a_cascade_drops_what_is_known_best(make_spec, make_split):
    """After model i of T, n_c·(n_min/n_c)^(i/(T−1)) images of class c are left. With 45, 20, 5 and T = 3: 15, 10, 5; then 5."""
    spec = make_spec("balance_cascade", {"members": 3}, epochs=2)
    split = make_split([45, 20, 5])
    stages, context = stages_of(spec), stage_context(spec, split, CPU)
    made = []
    pool = torch.arange(70)
    for left in ([15, 10, 5], [5, 5, 5]):
        made.append(Training(spec, split, CPU, seed=len(made)))
        made[-1].run_epoch()
        known = torch.stack([_probabilities(t, split.train) for t in made]).mean(0).gather(1, split.train.labels[:, None])[:, 0]
        before, pool = pool, stages.next_pool(pool, made, context)
        assert torch.bincount(split.train.labels[pool]).tolist() == left
        assert set(pool.tolist()) <= set(before.tolist())
        dropped = torch.tensor(sorted(set(before.tolist()) - set(pool.tolist())))
        for label in range(2):
            kept, gone = (p[split.train.labels[p] == label] for p in (pool, dropped))
            assert known[kept].max() <= known[gone].min() + 1e-6


def _probabilities(training, images):
    training.model.eval()
    with torch.no_grad():
        return training.outputs(training.batches.normalise(images.pixels)).softmax(1)


def test_a_curriculum_begins_with_the_easiest_of_all_classes_alike():
    labels = torch.tensor([0] * 60 + [1] * 10)
    rank = torch.cat([torch.arange(60) / 60, torch.arange(10) / 10])
    counts, sampling = torch.tensor([60.0, 10.0]), EasyFirst(rank, 0.3, 0.5)
    draw = lambda at: torch.cat([sampling.epoch(labels, counts, torch.Generator().manual_seed(s), at) for s in range(60)])  # noqa: E731
    first = draw(0.0)
    assert first[labels[first] == 0].max() == 17 and first[labels[first] == 1].max() == 62
    assert labels[first].double().mean() == pytest.approx(0.5, abs=0.03)
    half = draw(0.25)
    assert half[labels[half] == 0].max() == 38  # 0.3 + 0.7/2 of 60 images
    assert sorted(sampling.epoch(labels, counts, torch.Generator().manual_seed(0), 0.5).tolist()) == list(range(70))


def test_difficulty_is_the_loss_under_the_first_model(trainings):
    (first, _), (second, _) = trainings("curriculum", counts=(12, 6))
    losses = -_probabilities(first, first.split.train).log().gather(1, first.split.train.labels[:, None])[:, 0]
    for mine in (slice(0, 12), slice(12, 18)):
        order = second.sampling.rank[mine].argsort()
        assert (losses[mine][order].diff() >= -1e-6).all()


@pytest.mark.parametrize("name", FROM_STAGE_ONE)
def test_stage_one_is_trained_once_and_gives_the_same_figures(make_spec, figures, tmp_path, monkeypatch, name):
    """The trial is run alone, as the one that trains the stage, and as one that finds it; seconds and curve always include it."""
    other = make_spec("decoupled_balanced_softmax", data=DATA)
    spec = make_spec(name, data=DATA)
    assert stage_one(spec) == stage_one(other) == make_spec("softmax", data=DATA)
    alone = run_trial(spec)
    assert alone.status == "ok", alone.traceback
    epochs = []
    monkeypatch.setattr(Training, "run_epoch", _counted(Training.run_epoch, epochs))
    shared = Runtime(stages=str(tmp_path))
    leader, follower = run_trial(other, shared), run_trial(spec, shared)
    own = stages_of(spec).epochs(spec)
    assert len(epochs) == 3 + stages_of(other).epochs(other) + own
    assert figures(follower) == figures(alone) == figures(run_trial(spec, shared))
    (stored,) = tmp_path.glob("*.pt")
    first = checkpoint.read(stored)["seconds"]["train"]
    assert 0 < first <= min(leader.seconds["train"], follower.seconds["train"])
    assert (follower.seconds["train"] > first) == (own > 0), "nothing is trained behind it where there are no epochs"
    assert follower.curve[0]["epoch"] == 1 and follower.curve[-1]["epoch"] == 3 + own


@pytest.mark.parametrize("order", [("softmax", "ncm"), ("ncm", "softmax")])
def test_the_trial_that_others_begin_with_is_trained_once_too(make_spec, figures, tmp_path, monkeypatch, order):
    """ncm has no epochs of its own, so both trials have the seconds of the same three epochs."""
    specs = {name: make_spec(name, data=DATA) for name in order}
    alone = {name: figures(run_trial(spec)) for name, spec in specs.items()}
    epochs = []
    monkeypatch.setattr(Training, "run_epoch", _counted(Training.run_epoch, epochs))
    shared = Runtime(stages=str(tmp_path))
    found = {name: run_trial(spec, dataclasses.replace(shared, is_stage_one=name == "softmax")) for name, spec in specs.items()}
    assert len(epochs) == 3
    assert {name: figures(result) for name, result in found.items()} == alone
    assert found["softmax"].seconds["train"] == found["ncm"].seconds["train"] > 0
    assert [point["epoch"] for point in found["softmax"].curve] == [1, 2, 3]


def test_a_shared_stage_of_images_that_have_changed_since_is_trained_again(make_spec, figures, tmp_path, monkeypatch):
    spec, shared = make_spec("crt", data=DATA), Runtime(stages=str(tmp_path))
    before = run_trial(spec, shared)
    monkeypatch.setattr(TrialImages, "version", property(lambda images: f"{images.fingerprint} other features"))
    epochs = []
    monkeypatch.setattr(Training, "run_epoch", _counted(Training.run_epoch, epochs))
    with pytest.warns(UserWarning, match="trained on images or features that have changed since, and is ignored"):
        assert figures(run_trial(spec, shared)) == figures(before)
    assert len(epochs) == 3 + stages_of(spec).epochs(spec), "both stages"
    assert figures(run_trial(spec, shared)) == figures(before)
    assert len(epochs) == 3 + 2 * stages_of(spec).epochs(spec), "stage one is now that of the new images"


def test_each_kind_of_device_has_a_shared_stage_of_its_own(make_spec, figures, tmp_path, monkeypatch):
    spec, shared = make_spec("crt", data=DATA, precision="auto"), Runtime(stages=str(tmp_path))
    first = stage_one(spec).trial_id
    epochs, found = [], {}
    monkeypatch.setattr(Training, "run_epoch", _counted(Training.run_epoch, epochs))
    for kind in ("float32", "bfloat16"):
        monkeypatch.setattr(runtime, "prefers_bfloat16", lambda device, kind=kind: kind == "bfloat16")
        found[kind] = run_trial(spec, shared)
        assert found[kind].environment["precision"] == kind
    assert sorted(p.name for p in tmp_path.glob("*.pt")) == [f"{first}.cpu-bfloat16.pt", f"{first}.cpu-float32.pt"]
    assert len(epochs) == 2 * (3 + stages_of(spec).epochs(spec)), "each trained its own stage one"
    monkeypatch.setattr(runtime, "prefers_bfloat16", lambda device: False)
    assert figures(run_trial(spec, shared)) == figures(found["float32"])


def test_a_shared_stage_that_ran_out_of_time_is_left_to_the_next_trial(make_spec, figures, tmp_path):
    spec, shared = make_spec("crt", data=DATA), Runtime(stages=str(tmp_path / "stages"), checkpoint=str(tmp_path / "trial.pt"))
    ended = run_trial(spec, dataclasses.replace(shared, time_limit=1e-9, checkpoint_every=0))
    assert (ended.status, ended.cause) == ("timeout", "exceeded the limit of 1e-09 s in epoch 1 of 4")
    assert not list(tmp_path.glob("stages/*.pt")), "half a stage is nobody's"
    other = run_trial(
        make_spec("decoupled_balanced_softmax", data=DATA), shared
    )  # would wait for ever if the lock were still held
    assert other.status == "ok" and list(tmp_path.glob("stages/*.pt"))
    assert figures(run_trial(spec, shared)) == figures(run_trial(spec))


@pytest.mark.parametrize("stopped_after", [2, 3, 4])
def test_a_trial_that_is_given_more_time_goes_on_where_it_was_stopped(make_spec, figures, tmp_path, monkeypatch, stopped_after):
    """It is stopped in its first stage, between the two, or in the second one."""
    spec = make_spec("crt", {"retrain": 1.0}, data=DATA)
    runtime = Runtime(stages=str(tmp_path / "stages"), checkpoint=str(tmp_path / "trial.pt"), checkpoint_every=0)
    steps = trial_steps(spec, dataclasses.replace(runtime, time_limit=3600.0))
    for _ in range(stopped_after):
        next(steps)
    with monkeypatch.context() as patch:
        patch.setattr("lt_core.training.book.Clock.total", 3601.0)
        *_, result = steps
    assert (result.status, result.cause) == ("timeout", f"exceeded the limit of 3600 s in epoch {stopped_after + 1} of 6")
    assert len(list(tmp_path.glob("stages/*.pt"))) == (stopped_after >= 3), "a stage that is finished is kept"
    assert figures(run_trial(spec, runtime)) == figures(run_trial(spec))


def _counted(run_epoch, calls):
    def counted(self):
        calls.append(self.epoch)
        return run_epoch(self)

    return counted


@pytest.mark.parametrize("name", ["crt", "easy_ensemble", "balance_cascade", "curriculum"])
@pytest.mark.parametrize("killed_after", [2, 4, 5])
def test_a_trial_killed_in_any_stage_goes_on_there(make_spec, figures, tmp_path, monkeypatch, name, killed_after):
    at = {"retrain": 1.0} if name == "crt" else {"members": 2} if name[-1] == "e" else {}
    spec = make_spec(name, at, data=DATA, eval_every=1)
    whole = figures(run_trial(spec))
    runtime = Runtime(checkpoint=str(tmp_path / "trial.pt"), checkpoint_every=0, stages=str(tmp_path / "stages"))
    steps = trial_steps(spec, runtime)
    for _ in range(killed_after):
        next(steps)
    steps.close()
    epochs = []
    monkeypatch.setattr(Training, "run_epoch", _counted(Training.run_epoch, epochs))
    *_, result = trial_steps(spec, runtime)
    assert figures(result) == whole
    assert len(epochs) <= 6 - killed_after + 1  # repeats at most the epoch after the last checkpoint


def test_a_stage_one_of_stages_or_of_another_head_is_refused(make_spec):
    for label, words in (("crt[stage_one=ncm]", "has several stages itself"), ("tau_norm[stage_one=ldam]", "another")):
        spec = make_spec(label, data=DATA)
        with pytest.raises(UserError, match=words):
            stages_of(spec).check(spec)
    with pytest.raises(UserError, match="stage_one: unknown method 'softmux': did you mean 'softmax'"):
        resolve("crt[stage_one=softmux]")


def test_what_the_data_lacks_is_said_before_training(make_spec):
    for label in ("tau_norm", "meta_weight_net[meta_set=validation]"):
        result = run_trial(make_spec(label, data={**DATA, "validation": 0}))
        assert result.status == "failed" and "set validation to 1 or more" in result.cause
        assert result.curve == []


def test_a_stage_one_gets_the_extra_images_that_its_step_looks_at(make_spec):
    for label in (
        "crt[stage_one=l2rw[meta_images=2]]",
        "balanced_meta_softmax[stage_one=l2rw[meta_images=2],meta_set=extra,meta_images=2]",
    ):
        result = run_trial(make_spec(label, data=DATA, epochs=1))
        assert result.status == "ok", result.traceback


def test_a_stage_one_that_cannot_be_trained_on_these_images_is_refused(make_spec):
    for label, words in (
        ("balanced_meta_softmax[stage_one=l2rw,meta_set=extra,meta_images=3]", "3 extra images per class, but stage_one"),
        ("crt[stage_one=l2rw[meta_set=validation]]", "set validation to 1 or more"),
    ):
        spec = make_spec(label, data={**DATA, "validation": 0})
        with pytest.raises(UserError, match=words):
            check_trial(spec)


def test_a_second_stage_can_start_from_any_method(make_spec):
    spec = make_spec("crt", {"stage_one": "ldam_drw[max_margin=0.3]"}, data=DATA)
    assert stage_one(spec).method == dataclasses.replace(make_spec("ldam_drw", {"max_margin": 0.3})).method
    result = run_trial(spec)
    assert result.status == "ok", result.traceback
