"""A run from suite to Parquet without Ray: what is run, kept and printed."""

from __future__ import annotations

import pandas as pd
import pytest

import bench
from bench.running.backends import Interrupted
from bench.running.backends.inline import Inline
from bench.suites.suite import load_suite
from lt_core.errors import UserError
from tests.bench.harness import TINY, figures


def run(suite: str, tmp_path, **options) -> bench.Store:
    return bench.run(load_suite(suite), out=tmp_path / "out", backend="inline", **options)


def test_everything_is_recorded_and_nothing_is_run_twice(write_suite, tmp_path, capsys):
    store = run(write_suite(), tmp_path)
    frame = pd.read_parquet(store.path / "trials.parquet")
    assert len(frame) == 16
    assert set(frame["status"]) == {"ok"}
    assert frame["trial_id"].is_unique
    for figure in ("accuracy", "balanced_accuracy", "macro_f1", "ece", "validation_balanced_accuracy", "oracle_accuracy"):
        assert frame[figure].between(0, 1).all(), figure
    assert (frame["oracle_accuracy"] >= frame["accuracy"]).all()
    assert frame[["train_seconds", "images_per_second"]].gt(0).all(axis=None)
    for fact in ("device_name", "threads", "precision", "data_fingerprint", "subset_fingerprint", "torch", "python"):
        assert frame[fact].notna().all(), fact
    capsys.readouterr()
    before = {p.name: p.stat().st_mtime_ns for p in store.records.iterdir()}
    run(write_suite(), tmp_path)
    assert "nothing to run, 16 trials already finished" in capsys.readouterr().out
    assert {p.name: p.stat().st_mtime_ns for p in store.records.iterdir()} == before


def test_growing_a_suite_keeps_what_is_done(write_suite, tmp_path, capsys):
    store = run(write_suite(), tmp_path)
    before = {p.name: p.stat().st_mtime_ns for p in store.records.iterdir()}
    run(write_suite(seeds=3), tmp_path)
    assert "8 trials to run" in capsys.readouterr().out
    after = {p.name: p.stat().st_mtime_ns for p in store.records.iterdir()}
    assert len(after) == 24
    assert {k: after[k] for k in before} == before


def test_figures_do_not_depend_on_order_or_company(write_suite, tmp_path):
    one = run(write_suite(methods=["softmax", "over_sampling", "ldam_drw"], seeds=1), tmp_path / "one")
    two = run(write_suite(methods=["ldam_drw", "over_sampling", "sigmoid", "softmax"], seeds=1), tmp_path / "two")
    both = set(figures(one.path)["trial_id"])
    second = figures(two.path)
    second = second[second["trial_id"].isin(both)].reset_index(drop=True)
    pd.testing.assert_frame_equal(figures(one.path), second, check_exact=True)


def test_a_network_that_others_begin_with_is_trained_once(write_suite, tmp_path):
    """ncm trains nothing after softmax, so both have the seconds of the one training."""
    alone = run(write_suite(methods=["softmax"]), tmp_path / "alone")
    store = run(write_suite(methods=["ncm", "softmax"]), tmp_path)
    seconds = store.frame().groupby(["imbalance_factor", "seed"])["train_seconds"]
    assert (seconds.nunique() == 1).all() and (seconds.size() == 2).all()
    softmax = figures(store.path).query("method == 'softmax'").reset_index(drop=True)
    pd.testing.assert_frame_equal(softmax, figures(alone.path), check_exact=True)


def test_a_trial_that_diverges_is_told_and_stops_no_sibling(write_suite, tmp_path, capsys):
    suite = write_suite(methods=["ldam[scale=1e38]", "softmax"], seeds=1)
    frame = run(suite, tmp_path).frame().set_index("method")
    assert set(frame.loc["ldam", "status"]) == {"diverged"}
    assert set(frame.loc["softmax", "status"]) == {"ok"}
    assert frame.loc["ldam", "cause"].str.match(r"training loss became (nan|inf) in epoch \d of 4").all()
    assert frame.loc["ldam", "accuracy"].isna().all()
    out = capsys.readouterr().out
    assert "diverged: ldam[scale=1e+38], digits IF 10, seed 0: training loss became" in out
    assert "2 failed" in out


def test_failed_trials_are_run_again_only_when_asked(write_suite, tmp_path, monkeypatch, capsys):
    from lt_core.training.loop import Training

    healthy = Training.run_epoch

    def broken(self):
        if self.spec.method.name == "over_sampling":
            raise ZeroDivisionError("a bug in the sampler")
        return healthy(self)

    monkeypatch.setattr(Training, "run_epoch", broken)
    frame = run(write_suite(seeds=1), tmp_path).frame()
    assert frame["status"].value_counts().to_dict() == {"ok": 6, "failed": 2}
    assert set(frame[frame["status"] == "failed"]["cause"]) == {"ZeroDivisionError: a bug in the sampler"}
    monkeypatch.setattr(Training, "run_epoch", healthy)
    assert (run(write_suite(seeds=1), tmp_path).frame()["status"] == "failed").sum() == 2
    assert (run(write_suite(seeds=1), tmp_path, retry_failed=True).frame()["status"] == "failed").sum() == 0


def test_the_time_limit_ends_a_trial(write_suite, tmp_path):
    suite = write_suite(recipe={"base": "digits", "epochs": 4000}, methods=["softmax"], seeds=1)
    frame = run(suite, tmp_path, trial_timeout=0.2).frame()
    assert set(frame["status"]) == {"timeout"}
    assert frame["cause"].str.startswith("exceeded the limit of 0.2 s in epoch").all()


def test_a_trial_that_exceeded_its_limit_goes_on_where_it_was_if_it_is_given_more(write_suite, tmp_path):
    data = {**TINY["data"], "imbalance_factor": 10}
    suite = write_suite(data=data, methods=["softmax"], seeds=1, recipe={"base": "digits", "epochs": 100})
    limited = run(suite, tmp_path, trial_timeout=0.8, checkpoint_every=0)
    (stopped,) = limited.results()
    assert stopped.status == "timeout" and limited.checkpoint(stopped.trial_id).exists()
    again = run(suite, tmp_path, retry_failed=True)
    (ended,) = again.results()
    assert ended.status == "ok" and ended.environment["resumed_at"][0] > 0
    assert not again.checkpoint(ended.trial_id).exists()


def test_ctrl_c_keeps_what_is_finished(write_suite, tmp_path, monkeypatch):
    from lt_core.training.loop import Training

    healthy, epochs = Training.run_epoch, []

    def interrupted(self):
        epochs.append(1)
        if len(epochs) == 10:  # in the third trial
            raise KeyboardInterrupt
        return healthy(self)

    monkeypatch.setattr(Training, "run_epoch", interrupted)
    with pytest.raises(Interrupted):
        run(write_suite(), tmp_path)
    assert len(pd.read_parquet(tmp_path / "out" / "tiny" / "trials.parquet")) == 2


def test_a_disk_that_fills_up_stops_the_run_and_keeps_what_is_finished(write_suite, tmp_path, monkeypatch):
    write, written = bench.Store.write, []

    def full(self, result):
        written.append(1)
        if len(written) > 3:
            raise UserError("the disk is full")
        write(self, result)

    monkeypatch.setattr(bench.Store, "write", full)
    with pytest.raises(UserError, match="the disk is full"):
        run(write_suite(), tmp_path)
    monkeypatch.undo()
    assert len(bench.Store.open(tmp_path / "out" / "tiny").frame()) == 3


def test_a_trial_that_asks_for_no_gpu_computes_on_the_cpu_of_a_machine_with_a_card(write_suite, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    store = run(write_suite(), tmp_path, limit=1, gpus_per_trial=0)
    assert store.frame()[["status", "device"]].to_numpy().tolist() == [["ok", "cpu"]]


@pytest.mark.parametrize(
    ("device", "gpus", "told"), [("auto", 0.0, "cpu"), ("auto", 0.5, "auto"), ("cpu", 1.0, "cpu"), ("cuda:0", 0.0, "cuda:0")]
)
def test_ray_tells_a_trial_without_a_gpu_to_stay_off_those_that_its_worker_sees(make_job, monkeypatch, device, gpus, told):
    """As on a node whose cards Ray was told to ignore. A device that the user named is not changed here."""
    from bench.running.backends.ray_trial import packed, trainable, unpacked

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    job = packed(make_job(device), gpus)
    assert unpacked({"job": job})["runtime"]["device"] == told
    if (device, gpus) == ("auto", 0.0):
        trial = object.__new__(trainable())
        trial.setup({"job": job})
        while not (step := trial.step())["done"]:
            pass
        assert (step["record"]["status"], step["record"]["environment"]["device"]) == ("ok", "cpu")


@pytest.mark.parametrize(
    ("seconds", "reported"),  # per epoch; the epochs, of eight, after which a trial reports
    [(0.25, []), (0.5, [3]), (0.75, [2, 4]), (10.0, [1, 2, 3, 4, 5, 6, 7])],
)
def test_a_trial_on_ray_reports_each_second_unless_it_is_about_to_end(make_job, monkeypatch, seconds, reported):
    from bench.running.backends import ray_trial
    from lt_core.result import TrialResult
    from lt_core.training import Progress

    clock, job = [0.0], make_job("cpu")

    def steps(_):
        for epoch in range(1, 9):
            clock[0] += seconds
            yield Progress(epoch, 8)
        yield TrialResult(job.spec, "failed", "as planned")

    monkeypatch.setattr(ray_trial, "steps", steps)
    monkeypatch.setattr(ray_trial, "monotonic", lambda: clock[0])
    trial = object.__new__(ray_trial.trainable())
    trial.setup({"job": ray_trial.packed(job, 0.0)})
    told = []
    while not (step := trial.step())["done"]:
        told.append(step["epoch"])
    assert told == reported


@pytest.fixture
def make_job(write_suite):
    from bench.running.backends.base import Job
    from lt_core.training import Runtime

    return lambda device: Job(load_suite(write_suite()).specs[0], Runtime(device=device))


def test_missing_data_stops_before_anything_starts(write_suite, tmp_path, monkeypatch):
    import torchvision

    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", offline)
    monkeypatch.setattr(Inline, "run", lambda *_: pytest.fail("started"))
    suite = write_suite(data={"dataset": "cifar10", "imbalance_factor": 10}, recipe="cifar_ldam")
    with pytest.raises(UserError, match=r"cifar10 was not found under .* could not be downloaded .*no network.*--data"):
        run(suite, tmp_path, data=str(tmp_path))


def test_the_example_of_the_package_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = bench.load_suite("quick")
    assert bench.plan(suite).counts()["left"] == len(suite.specs)
    store = bench.run(suite, only="cb_*", backend="inline", epochs=1, limit=2)
    assert len(store.frame().groupby("label")["balanced_accuracy"].mean()) == 1
    assert bench.Store.open("quick").path.resolve() == store.path.resolve()


def test_a_lost_trial_is_tried_once_more_when_the_others_are_done(write_suite, tmp_path, capsys):
    """All its retries may have met one dying node. A trial that is lost twice is reported as lost."""
    from bench.running.driver import execute
    from bench.suites.planning import plan
    from lt_core.result import LOST, TrialResult
    from lt_core.training import Runtime

    passes = []

    class Flaky(Inline):
        def run(self, jobs, listener):
            passes.append([job.spec.method.name for job in jobs])
            for job in jobs:
                if job.spec.method.name == "over_sampling" and (len(passes) == 1 or job.spec.data.imbalance_factor == 50):
                    listener.result(TrialResult(job.spec, LOST, "the node went away"))
                else:
                    super().run([job], listener)

    suite = load_suite(write_suite(methods=["softmax", "over_sampling"], seeds=1))
    store = bench.Store.create(tmp_path / "out")
    execute(plan(suite, store), store, Flaky(), Runtime())
    assert passes == [["softmax", "over_sampling"] * 2, ["over_sampling"] * 2]
    statuses = store.frame().set_index(["method", "imbalance_factor"])["status"].to_dict()
    assert statuses[("over_sampling", 10)] == "ok" and statuses[("over_sampling", 50)] == "lost"
    out = capsys.readouterr().out
    assert out.count("lost: over_sampling") == 1 and "4 trials" in out
