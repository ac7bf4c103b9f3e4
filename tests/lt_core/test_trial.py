from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import random
import tempfile
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import whole_files
from lt_core.data.loader import Images
from lt_core.data.trial_images import TrialImages, draw_images
from lt_core.errors import UserError
from lt_core.generation.cyclegan import CycleGAN
from lt_core.result import SCHEMA, NewerVersion, TrialResult
from lt_core.training import Progress, Runtime, book, checkpoint, run_trial, running, runtime, trial, trial_steps
from lt_core.training.loop import Training

DATA = {"imbalance_factor": 10, "n_max": 60, "validation": 2}
HERE = checkpoint.Origin("id", "cpu-float32", "images")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "checkpoints" / "trial.pt"


def interrupted(spec, file, epochs):
    """Run ``epochs`` epochs, then let the process die."""
    steps = trial_steps(spec, Runtime(checkpoint=str(file), checkpoint_every=0))
    assert [next(steps) for _ in range(epochs)] == [Progress(e + 1, spec.recipe.epochs) for e in range(epochs)]
    steps.close()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("method", ["softmax", "over_sampling", "under_sampling", "cb_focal", "ldam_drw", "ce_drs"])
def test_a_resumed_trial_gives_the_same_figures(make_spec, figures, file, method, optimizer):
    """It is killed in the second epoch of six and again in the fifth; this includes augmentation, momentum and schedules."""
    lr = 0.05 if optimizer == "sgd" else 1e-3
    spec = make_spec(method, data=DATA, epochs=6, optimizer=optimizer, lr=lr, pad=1, flip=True, eval_every=1)
    whole = figures(run_trial(spec))
    interrupted(spec, file, 2)
    steps = trial_steps(spec, Runtime(checkpoint=str(file), checkpoint_every=0))
    assert [next(steps).epoch for _ in range(3)] == [3, 4, 5]
    steps.close()
    *progress, result = trial_steps(spec, Runtime(checkpoint=str(file), checkpoint_every=0))
    assert [p.epoch for p in progress] == [6]
    assert figures(result) == whole
    if method == "softmax":  # the images and seconds of all three processes
        assert result.images_per_second * result.seconds["train"] == pytest.approx(6 * sum(result.train_counts))


def test_a_checkpoint_of_another_trial_is_not_taken(make_spec, figures, file):
    interrupted(make_spec(seed=1), file, 2)
    spec = make_spec(seed=2)
    *progress, result = trial_steps(spec, Runtime(checkpoint=str(file)))
    assert len(progress) == 3
    assert figures(result) == figures(run_trial(spec))


def flipped(content, bit):
    return content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"nonsense" * 100, lambda b: flipped(b, 4 * len(b)), lambda b: b[32:]],
)
def test_a_damaged_checkpoint_is_told_once_and_removed(make_spec, figures, file, damage):
    spec = make_spec()
    interrupted(spec, file, 2)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.warns(UserWarning, match="is damaged and was removed .*: the trial starts again") as told:
        *progress, result = trial_steps(spec, Runtime(checkpoint=str(file)))
    assert (len(told), len(progress), file.exists()) == (1, 3, False)
    assert figures(result) == figures(run_trial(spec))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_flipped_bit_of_a_checkpoint_goes_unnoticed(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.pt"
        checkpoint.save(path, HERE, {"training": torch.arange(50.0), "book": {"epochs": 3}})
        content = path.read_bytes()
        assert checkpoint.load(path, HERE) is not None
        path.write_bytes(flipped(content, data.draw(st.integers(0, 8 * len(content) - 1))))
        with pytest.warns(UserWarning, match="is damaged"):
            assert checkpoint.load(path, HERE) is None


class Harmful:
    def __reduce__(self):
        return print, ("run",)


def test_a_file_with_a_true_digest_may_still_not_run_code(file, capsys):
    checkpoint.save(file, HERE, {"training": Harmful()})
    with pytest.warns(UserWarning, match="is damaged and was removed"):
        assert checkpoint.load(file, HERE) is None
    assert capsys.readouterr().out == ""


def test_a_checkpoint_of_another_version_is_not_taken(file, monkeypatch):
    monkeypatch.setattr(checkpoint, "LAYOUT", checkpoint.LAYOUT + 1)
    checkpoint.save(file, HERE, {})
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="was written by another version and is ignored"):
        assert checkpoint.load(file, HERE) is None
    assert file.exists()  # the other version may need it


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_memory_that_runs_out_does_not_cost_the_checkpoint(file, monkeypatch, error):
    checkpoint.save(file, HERE, {})

    def full(*args, **kwargs):
        raise error

    monkeypatch.setattr(checkpoint.torch, "load", full)
    with pytest.raises(type(error)):
        checkpoint.load(file, HERE)
    assert file.exists()


def test_a_checkpoint_of_another_kind_of_device_is_told_and_not_taken(make_spec, figures, file):
    spec = make_spec(epochs=4)
    interrupted(spec, file, 2)
    stored = checkpoint.read(file)
    assert stored.pop("kind") == "cpu-float32"
    # The generator of a card has a state of 16 bytes, which a CPU's rejects.
    training = {**stored["training"], "order": torch.zeros(16).byte()}
    there = checkpoint.Origin(spec.trial_id, "cuda-float32", stored["images"])
    checkpoint.save(file, there, {"training": training, "book": stored["book"]})
    with pytest.warns(
        UserWarning, match="was written on cuda-float32 and is ignored on cpu-float32: the trial starts again"
    ) as told:
        *progress, result = trial_steps(spec, Runtime(checkpoint=str(file)))
    assert len(told) == 1
    assert [p.epoch for p in progress] == [1, 2, 3, 4]
    assert figures(result) == figures(run_trial(spec))
    assert result.environment["resumed_at"] == []


def test_a_checkpoint_of_images_that_have_changed_since_is_told_and_not_taken(make_spec, figures, file, monkeypatch):
    spec = make_spec(epochs=4)
    interrupted(spec, file, 2)
    monkeypatch.setattr(TrialImages, "version", property(lambda images: f"{images.fingerprint} other features"))
    with pytest.warns(
        UserWarning, match="trained on images or features that have changed since, and is ignored: the trial starts"
    ):
        *progress, result = trial_steps(spec, Runtime(checkpoint=str(file)))
    assert [p.epoch for p in progress] == [1, 2, 3, 4]
    assert figures(result) == figures(run_trial(spec))


@pytest.mark.parametrize("field", ["fingerprint", "subset_fingerprint", "features"])
def test_the_version_of_a_trials_images_changes_with_the_set_the_subset_and_the_features(make_spec, field):
    images = draw_images(make_spec(data=DATA).data, torch.device("cpu"))
    assert dataclasses.replace(images, **{field: "other"}).version != images.version


def test_a_trial_goes_on_with_another_number_of_threads_but_not_in_another_precision(make_spec, file, monkeypatch):
    spec = make_spec(precision="auto", epochs=3)
    monkeypatch.setattr(runtime, "prefers_bfloat16", lambda kind: False)
    interrupted(spec, file, 2)
    *_, result = trial_steps(spec, Runtime(checkpoint=str(file), threads=2))
    assert result.environment["resumed_at"] == [2]
    monkeypatch.setattr(runtime, "prefers_bfloat16", lambda kind: True)
    with pytest.warns(UserWarning, match="was written on cpu-float32 and is ignored on cpu-bfloat16"):
        *_, result = trial_steps(spec, Runtime(checkpoint=str(file)))
    assert (result.environment["resumed_at"], result.environment["precision"]) == ([], "bfloat16")


@pytest.mark.parametrize("error", [OSError("No space left on device"), RuntimeError("[enforce fail] unexpected pos")])
def test_a_checkpoint_that_cannot_be_written_costs_only_a_warning(make_spec, file, monkeypatch, error):
    def full(state, beside):
        beside.write(b"the first bytes")
        raise error

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.warns(UserWarning, match=f"checkpoint {file} cannot be written"):
        result = run_trial(make_spec(), Runtime(checkpoint=str(file), checkpoint_every=0))
    assert result.status == "ok"
    assert list(file.parent.iterdir()) == []


def test_a_full_disk_and_a_foreign_kind_of_device_are_told_of_once_for_all_trials_of_a_run(make_spec, tmp_path, monkeypatch):
    files = [tmp_path / "checkpoints" / f"{number}.pt" for number in range(33)]
    for file in files:
        checkpoint.save(file, dataclasses.replace(HERE, kind="cuda-float32"), {})
    with pytest.warns(
        UserWarning, match="is ignored on cpu-float32: the trial starts again from the beginning, as do others"
    ) as told:
        assert not any(checkpoint.load(file, HERE) for file in files)
    assert len(told) == 1

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(whole_files.os, "fsync", full)
    with pytest.warns(UserWarning, match=r"checkpoint .*0.pt cannot be written \(No space left on device\)") as told:
        for file in files:
            checkpoint.save(file, HERE, {})
    assert len(told) == 1


def test_nothing_is_left_beside_a_checkpoint(make_spec, file):
    interrupted(make_spec(), file, 2)
    assert [f.name for f in file.parent.iterdir()] == [file.name]


def test_a_short_trial_writes_no_checkpoint(make_spec, file):
    assert run_trial(make_spec(), Runtime(checkpoint=str(file))).status == "ok"
    assert not file.exists()


def test_a_finished_trial_tells_all(make_spec):
    spec = make_spec(data=DATA, epochs=5, eval_every=2)
    *progress, result = trial_steps(spec, Runtime())
    assert progress == [Progress(e, 5) for e in range(1, 6)]
    assert (result.status, result.cause, result.traceback) == ("ok", "", "")
    assert result.train_counts == [60, 46, 35, 27, 21, 16, 12, 10, 7, 6]
    assert [sum(row) for row in result.confusion] == [50] * 10
    assert [sum(row) for row in result.validation_confusion] == [2] * 10
    assert [row["epoch"] for row in result.curve] == [2, 4, 5]  # the last epoch is always included
    assert result.curve[-1]["test_accuracy"] == result.metrics()["accuracy"]
    assert result.curve[-1]["test_balanced_accuracy"] == pytest.approx(result.metrics()["balanced_accuracy"])
    assert result.curve[-1]["validation_accuracy"] == result.validation_metrics()["accuracy"]
    assert set(result.seconds) == {"setup", "train", "evaluate"}
    assert {"device", "data_fingerprint", "subset_fingerprint", "precision", "torch"} <= set(result.environment)


def test_training_learns_something(make_spec):
    assert run_trial(make_spec(data={"imbalance_factor": 1}, epochs=15)).metrics()["accuracy"] > 0.9


def test_watching_more_often_changes_no_figure(make_spec):
    seldom, often = (run_trial(make_spec(data=DATA, epochs=4, eval_every=n)) for n in (4, 1))
    assert often.confusion == seldom.confusion
    assert often.curve[-1] == seldom.curve[-1]


def test_test_labels_choose_nothing(make_spec, monkeypatch):
    """Rule 2: with other test labels, the model is the same, and only its test figures differ."""
    spec = make_spec("ldam_drw", data=DATA, eval_every=1)
    real = run_trial(spec)

    def relabelled(*args):
        images = draw_images(*args)
        test = Images(images.split.test.pixels, (images.split.test.labels + 1) % 10)
        return dataclasses.replace(images, split=dataclasses.replace(images.split, test=test))

    monkeypatch.setattr(running, "draw_images", relabelled)
    other = run_trial(spec)
    assert np.roll(real.confusion, 1, axis=0).tolist() == other.confusion
    assert real.validation_confusion == other.validation_confusion
    assert [r["train_loss"] for r in real.curve] == [r["train_loss"] for r in other.curve]


@pytest.mark.parametrize("change", [{"seed": 1}, {"data": {**DATA, "subset_seed": 1}}])
def test_both_seeds_matter(make_spec, change):
    assert run_trial(make_spec(data=DATA)).confusion != run_trial(make_spec(**{"data": DATA, **change})).confusion


def test_a_trial_leaves_the_global_generators_alone(make_spec):
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    assert run_trial(make_spec("over_sampling", pad=1, flip=True)).status == "ok"
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])


def test_bfloat16_is_as_repeatable(make_spec, figures):
    spec = make_spec(precision="bfloat16", epochs=2)
    first = run_trial(spec)
    assert (first.status, first.environment["precision"]) == ("ok", "bfloat16")
    assert figures(run_trial(spec)) == figures(first)
    assert figures(first)["curve"] != figures(run_trial(make_spec(epochs=2)))["curve"]


@pytest.mark.parametrize("method", ["softmax", "sigmoid", "focal"])
def test_a_diverged_trial_says_when(make_spec, method):
    result = run_trial(make_spec(method, lr=1e30, warmup_epochs=0))
    assert result.status == "diverged"
    assert "in epoch 1 of 3" in result.cause
    assert result.confusion == []


def test_weights_that_blow_up_in_the_very_last_step_are_noticed(make_spec):
    """The loss of the last batch is computed before its step."""
    result = run_trial(make_spec(lr=1e38, warmup_epochs=0, epochs=1, batch_size=1000))
    assert result.status == "diverged"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("first line\nsecond line"), "failed"),
        (ValueError(), "failed"),
        (UserError("no such data"), "failed"),
        (MemoryError("no room"), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom"),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"), "oom"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "oom"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), "oom"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"), "oom"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: not enough memory: you tried"),
            "oom",
        ),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "failed"),
    ],
)
def test_a_failure_is_told_with_its_cause_and_traceback(make_spec, monkeypatch, error, status):
    def fail(*args):
        raise error

    monkeypatch.setattr(running, "draw_images", fail)
    result = run_trial(make_spec())
    assert result.status == status
    assert result.cause.startswith(type(error).__name__) and "\n" not in result.cause
    assert (str(error).splitlines() or ["no message"])[0] in result.cause
    assert "Traceback" in result.traceback and "in fail" in result.traceback
    assert result.trial_id == make_spec().trial_id


@pytest.mark.parametrize(("words", "emptied"), [("CUDA error: out of memory", 1), ("no such thing", 0)])
def test_what_a_failed_trial_held_is_free_when_it_is_told(make_spec, monkeypatch, words, emptied):
    class Images:
        pass

    held, calls = [], []

    def fail(*args):
        images = Images()
        held.append(weakref.ref(images))
        raise RuntimeError(words)

    monkeypatch.setattr(running, "draw_images", fail)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.append(held[0]()))
    result = next(trial.trial_steps(make_spec(), Runtime(device="cpu")))
    assert result.cause.endswith(words) and held[0]() is None
    assert calls == [None] * emptied, "once its tensors are gone: before, there is nothing to empty"


def test_host_memory_that_runs_out_is_oom(make_spec, monkeypatch):
    monkeypatch.setattr(running, "draw_images", lambda *args: torch.empty(1 << 60))
    assert run_trial(make_spec()).status == "oom"


def test_a_failure_in_the_middle_stops_nothing_else(make_spec, monkeypatch, figures):
    spec = make_spec()
    before = figures(run_trial(spec))
    with monkeypatch.context() as patch:
        patch.setattr(running, "evaluate", lambda *args: 1 / 0)
        failed = run_trial(spec)
    assert (failed.status, failed.cause) == ("failed", "ZeroDivisionError: division by zero")
    assert figures(run_trial(spec)) == before


def test_a_trial_over_its_time_says_so(make_spec):
    *progress, result = trial_steps(make_spec(), Runtime(time_limit=1e-9))
    assert progress == []
    assert result.status == "timeout"
    assert "in epoch 1 of 3" in result.cause
    assert run_trial(make_spec(epochs=1), Runtime(time_limit=1e-9)).status == "timeout"


class Clock:
    """A stand-in for the module ``time``, where each reading takes ``reading`` seconds, and `costs` says what else takes time."""

    def __init__(self, monkeypatch, reading=0.0):
        self.now, self.reading, self.patch = 0.0, reading, monkeypatch
        for module in (book, running):
            monkeypatch.setattr(module, "time", self)

    def perf_counter(self):
        self.now += self.reading
        return self.now

    def costs(self, owner, name, seconds):
        """Make each call of ``owner.name`` take ``seconds``, and return a list that grows by one item per call."""
        called, original = [], getattr(owner, name)

        def timed(*args, **keys):
            self.now += seconds
            called.append(name)
            return original(*args, **keys)

        self.patch.setattr(owner, name, timed)
        return called


def test_a_long_epoch_ends_at_the_limit(make_spec, monkeypatch):
    steps = Clock(monkeypatch).costs(Training, "_take", 1.0)
    spec = make_spec(epochs=2, batch_size=16)
    result = run_trial(spec, Runtime(time_limit=3.5))
    assert (result.status, len(steps)) == ("timeout", 4), "the step that crosses the limit is the last"
    assert result.cause == "exceeded the limit of 3.5 s in epoch 1 of 2"
    assert result.seconds["train"] == 4.0


@pytest.mark.parametrize("method", ["joint_aug", "joint_alt"])
def test_the_limit_holds_while_generators_are_trained(make_spec, monkeypatch, method):
    clock = Clock(monkeypatch)
    steps, classifier = clock.costs(CycleGAN, "step", 1.0), clock.costs(Training, "_take", 0.0)
    spec = make_spec(method, {"gan_width": 4, "gan_blocks": 1, "gan_length": 1.0 if method == "joint_aug" else 0.0}, epochs=1)
    result = run_trial(spec, Runtime(time_limit=2.5))
    assert (result.status, len(steps)) == ("timeout", 3)
    assert len(classifier) == (method == "joint_alt"), "ALT's generators are trained inside the classifier's first step"


def test_a_trial_that_took_its_last_step_in_time_is_finished(make_spec, monkeypatch):
    Clock(monkeypatch, reading=1e-6).costs(running, "evaluate", 100.0)
    assert run_trial(make_spec(epochs=2, eval_every=2), Runtime(time_limit=1)).status == "ok"
    assert run_trial(make_spec(epochs=2, eval_every=1), Runtime(time_limit=1)).cause.endswith("in epoch 2 of 2")


def test_a_limit_that_is_not_reached_changes_no_figure(make_spec, figures):
    assert figures(run_trial(make_spec(), Runtime(time_limit=1e9))) == figures(run_trial(make_spec()))


def test_waiting_between_steps_is_not_the_trials_time(make_spec, monkeypatch):
    clock = Clock(monkeypatch, reading=0.25)
    steps = trial_steps(make_spec(), Runtime(time_limit=50))
    next(steps)
    clock.now += 100
    *_, result = steps
    assert result.status == "ok"
    assert 1 < sum(result.seconds.values()) < 50
    assert result.images_per_second == 3 * 240 / result.seconds["train"]


def test_a_device_that_is_not_there_is_named(make_spec):
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert "cuda" in run_trial(make_spec(), Runtime(device="cuda")).cause
    with pytest.raises(UserError, match="device cuda is not available"):
        Runtime(device="cuda").torch_device()


@pytest.mark.parametrize("keys", [{"data": DATA}, {}, {"lr": 1e30, "warmup_epochs": 0}], ids=["ok", "no validation", "diverged"])
def test_a_record_survives_json(make_spec, keys):
    result = run_trial(make_spec(**keys))
    record = result.to_record()
    text = json.dumps(record, allow_nan=False)
    read = TrialResult.from_record(json.loads(text))
    assert read.to_record() == record
    assert (read.spec, read.trial_id, read.status, read.cause) == (result.spec, result.trial_id, result.status, result.cause)
    assert record["schema"] == SCHEMA
    if result.status == "ok":
        assert read.metrics() == pytest.approx(result.metrics(), nan_ok=True)
        assert read.validation_metrics() == pytest.approx(result.validation_metrics(), nan_ok=True)
    else:
        assert math.isnan(read.images_per_second)


def test_a_record_of_a_newer_version_is_refused(make_spec):
    record = TrialResult(make_spec(), "failed", "x").to_record()
    with pytest.raises(NewerVersion, match="it has schema 2, but this version reads up to 1"):
        TrialResult.from_record({**record, "schema": SCHEMA + 1})
