"""Loggers: what they receive from each backend, and that they cannot harm a run."""

from __future__ import annotations

import struct
import sys
import types
from pathlib import Path

import pytest

import bench
from bench.running.backends.ray_trial import packed, steps, unpacked
from bench.running.driver import FailedFast
from bench.running.loggers import LOGGERS, Begun, logged, logger, opened
from bench.suites.suite import Suite
from lt_core.errors import UserError
from lt_core.result import FAILED, LOST, TrialResult
from lt_core.testing.trials import tiny_spec
from lt_core.training import Progress, run_trial

SPEC = tiny_spec("focal[gamma=2]")


@pytest.fixture(scope="module")
def finished():
    return run_trial(SPEC)


class Memory:
    """A logger that remembers what it receives."""

    def __init__(self, run=Path("here")):
        self.heard = []

    def begin(self, trial):
        self.heard.append(("begin", trial.trial_id))
        return self

    def point(self, epoch, figures):
        self.heard.append(("point", epoch, figures))

    def end(self, status, cause, figures):
        self.heard.append(("end", status, cause, figures))


class Silent:
    """A listener that does nothing except what a test sets."""

    wants_progress = False

    def __init__(self, error=None):
        self.error = error

    def progress(self, spec, progress):
        return "enough" if progress.epoch == 9 else ""

    def result(self, result):
        if self.error:
            raise self.error

    def tick(self):
        pass


def test_a_trial_is_told_from_its_parameters_to_its_result(finished):
    memory = Memory()
    with logged(Silent(), {"memory": memory}) as listener:
        assert listener.progress(SPEC, Progress(1, 3)) == "", "an epoch without a point of the curve"
        assert listener.progress(SPEC, Progress(2, 3, {"epoch": 2, "train_loss": 0.5})) == ""
        listener.result(finished)
        assert listener.progress(SPEC, Progress(9, 9)) == "enough", "what the listener answers is passed on"
    points = [epoch for kind, epoch, *_ in memory.heard if kind == "point"]
    assert points == [2, *(row["epoch"] for row in finished.curve if row["epoch"] > 2)], "what was not told is told at the end"
    (_, status, cause, figures), *_ = (heard for heard in memory.heard if heard[0] == "end")
    assert (status, cause, figures["balanced_accuracy"]) == ("ok", "", finished.metrics()["balanced_accuracy"])
    assert memory.heard[-1][:2] == ("end", "interrupted"), "what is under way when the run ends is closed"


def test_a_search_tells_nothing_of_the_test_set(finished):
    validated = run_trial(tiny_spec("softmax", data={"dataset": "digits", "n_max": 50, "validation": 10}, epochs=2))
    memory = Memory()
    with logged(Silent(), {"memory": memory}, searching=True) as listener:
        listener.result(validated)
    told = [figures for *_, figures in memory.heard[1:]]
    assert all(name.startswith(("validation_", "train_", "mask_")) for figures in told for name in figures)
    assert told[0]["validation_accuracy"] == validated.curve[0]["validation_accuracy"]
    assert told[-1]["validation_accuracy"] == validated.validation_metrics()["accuracy"]


def test_a_trial_that_is_started_again_repeats_no_epoch():
    memory = Memory()
    with logged(Silent(), {"memory": memory}) as listener:
        for epoch in (1, 2):
            listener.progress(SPEC, Progress(epoch, 3, {"epoch": epoch, "train_loss": 1.0}))
        listener.result(TrialResult(SPEC, LOST, "the worker was lost"))
        for epoch in (2, 3):
            listener.progress(SPEC, Progress(epoch, 3, {"epoch": epoch, "train_loss": 1.0}))
    assert [heard[:2] for heard in memory.heard] == [
        ("begin", SPEC.trial_id), ("point", 1), ("point", 2), ("end", LOST), ("begin", SPEC.trial_id), ("point", 3),
        ("end", "interrupted"),
    ]  # fmt: skip


def test_a_failed_trial_is_told_even_if_it_ends_the_run():
    memory = Memory()
    with pytest.raises(FailedFast), logged(Silent(FailedFast("stop")), {"memory": memory}) as listener:
        listener.result(TrialResult(SPEC, FAILED, "ValueError: no"))
    assert memory.heard[-1] == ("end", FAILED, "ValueError: no", {})


def test_a_logger_that_fails_is_named_once_and_the_others_go_on(finished):
    class Broken(Memory):
        def point(self, epoch, figures):
            raise ConnectionError("no server")

    memory, said = Memory(), []
    with logged(Silent(), {"broken": Broken(), "memory": memory}, said.append) as listener:
        listener.result(finished)
    assert said == ["warning: logging to broken stopped (ConnectionError: no server); the run continues without it"]
    assert [heard[0] for heard in memory.heard] == ["begin", *["point"] * len(finished.curve), "end"]


def test_without_loggers_nothing_is_between_backend_and_driver():
    driver = Silent()
    with logged(driver, {}) as listener:
        assert listener is driver


def test_parameters_are_every_field_of_the_spec():
    begun = Begun.of(SPEC)
    assert begun.name == "focal[gamma=2], digits IF 10, seed 0"
    assert begun.parameters["method.gamma"] == 2 and begun.parameters["recipe.epochs"] == 3
    assert all(isinstance(value, str | bool | int | float) for value in begun.parameters.values())
    assert tiny_spec("focal[gamma=1]").trial_id != begun.trial_id


def test_a_worker_of_ray_reports_every_point_where_the_listener_wants_them():
    from bench.running.backends import Job
    from lt_core.training.runtime import Runtime

    job = unpacked({"job": packed(Job(SPEC, Runtime(device="cpu")), 0, True)})
    assert job["wants_progress"] and next(steps(job)).epoch == 1


def test_a_wrong_name_and_a_missing_library_are_one_sentence_each(monkeypatch, tmp_path):
    with pytest.raises(UserError, match="unknown logger 'tensorbord': did you mean 'tensorboard'"):
        opened(["tensorbord"], tmp_path)
    for name, module in (("tensorboard", "tensorboardX"), ("mlflow", "mlflow"), ("wandb", "wandb")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(UserError, match=f"--logger {name} needs a library that is not installed: pip install {module}"):
            opened([name], tmp_path)


def _events(file):
    """The scalars of an event file of TensorBoard: (tag, step, value)."""
    from tensorboardX.proto.event_pb2 import Event

    data, at = file.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        event = Event.FromString(data[at + 12 : at + 12 + length])
        at += 16 + length
        yield from ((value.tag, event.step, value.simple_value) for value in event.summary.value)


def test_tensorboard_has_curves_results_and_hyperparameters_of_a_run(tmp_path):
    suite = Suite("mine", "a trial", "catalogue", (SPEC,))
    store = bench.run(suite, backend="inline", out=tmp_path, logger="tensorboard")
    (folder,) = (store.path / "tensorboard").iterdir()
    assert folder.name == f"focal[gamma=2],_digits_IF_10,_seed_0_{SPEC.trial_id}"
    told = {(tag, step): value for tag, step, value in _events(next(folder.iterdir()))}
    result = store.read(SPEC.trial_id)
    for row in result.curve:
        assert told["curve/test_accuracy", row["epoch"]] == pytest.approx(row["test_accuracy"])
    assert told["result/balanced_accuracy", 0] == pytest.approx(result.metrics()["balanced_accuracy"])
    assert ("_hparams_/experiment", 0) in told


def test_a_plug_in_brings_its_own_logger(tmp_path, capsys):
    from lt_core import plugins

    file = tmp_path / "screen.py"
    file.write_text(
        "from bench.running.loggers import logger\n\n\n"
        "@logger('screen')\nclass Screen:\n"
        "    def __init__(self, run):\n        pass\n\n"
        "    def begin(self, trial):\n        print('begin', trial.name)\n        return self\n\n"
        "    def point(self, epoch, figures):\n        print('epoch', epoch)\n\n"
        "    def end(self, status, cause, figures):\n        print('end', status)\n"
    )
    plugin = plugins.load(file)
    try:
        bench.run(Suite("mine", "a trial", "catalogue", (SPEC,)), backend="inline", out=tmp_path, logger=["screen"])
    finally:
        plugins.forget(plugin.version)
    assert "begin focal[gamma=2], digits IF 10, seed 0\nepoch 1\n" in capsys.readouterr().out
    assert "screen" not in LOGGERS


class _Recorder:
    """A stand-in for an object of a library, which remembers calls of its methods."""

    def __init__(self, **returns):
        self.calls, self.returns = [], returns

    def __getattr__(self, name):
        def called(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            return self.returns.get(name)

        return called


def _told(log):
    log.point(1, {"train_loss": 0.5})
    log.end("failed", "ValueError: no", {"accuracy": 0.25})


def test_wandb_is_offline_and_has_a_run_for_each_trial(monkeypatch, tmp_path):
    summary = {}
    run = _Recorder()
    run.summary = summary
    began = []
    library = types.SimpleNamespace(init=lambda **given: began.append(given) or run, Settings=lambda **given: given)
    monkeypatch.setitem(sys.modules, "wandb", library)
    for name in ("WANDB_MODE", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    _told(opened(["wandb"], tmp_path / "quick")["wandb"].begin(Begun.of(SPEC)))
    (given,) = began
    assert (given["mode"], given["project"], given["id"], given["reinit"]) == ("offline", "quick", SPEC.trial_id, "create_new")
    assert given["config"]["method.gamma"] == 2 and given["settings"]["x_disable_meta"]
    assert run.calls == [("log", ({"train_loss": 0.5},), {"step": 1}), ("finish", (), {"exit_code": 1})]
    assert summary == {"result/accuracy": 0.25, "status": "failed", "cause": "ValueError: no"}


@pytest.mark.parametrize("known", [True, False])
def test_mlflow_has_a_database_in_the_run_and_goes_on_with_a_known_trial(monkeypatch, tmp_path, known):
    run = types.SimpleNamespace(info=types.SimpleNamespace(run_id="r1"))
    client = _Recorder(create_experiment="e1", search_runs=[run] if known else [], create_run=run)
    uris = []
    library = types.ModuleType("mlflow")
    library.MlflowClient = lambda tracking_uri: uris.append(tracking_uri) or client
    entities = types.ModuleType("mlflow.entities")
    entities.Metric, entities.Param = (lambda *given: given), (lambda *given: given)
    monkeypatch.setitem(sys.modules, "mlflow", library)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    _told(opened(["mlflow"], tmp_path / "quick")["mlflow"].begin(Begun.of(SPEC)))
    assert uris == [f"sqlite:///{tmp_path / 'quick' / 'mlflow.db'}"]
    names = [name for name, *_ in client.calls]
    assert names.count("create_run") == (not known) and ("update_run" in names) == known
    assert client.calls[-1] == ("set_terminated", ("r1", "FAILED"), {})
    metrics = [given["metrics"] for name, _, given in client.calls if given.get("metrics")]
    assert [(m[0][0], m[0][1], m[0][3]) for m in metrics] == [("train_loss", 0.5, 1), ("result/accuracy", 0.25, 0)]


def test_a_server_that_does_not_answer_ends_the_command_before_any_trial(monkeypatch, tmp_path):
    def refuse(**given):
        raise ConnectionError("refused")

    monkeypatch.setitem(sys.modules, "mlflow", types.SimpleNamespace(MlflowClient=refuse))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:1")
    with pytest.raises(UserError, match=r"--logger mlflow cannot use http://localhost:1 \(ConnectionError: refused\)"):
        opened(["mlflow"], tmp_path)


def test_logger_registers_once():
    with pytest.raises(UserError, match="logger 'wandb' already exists"):
        logger("wandb")(Memory)
