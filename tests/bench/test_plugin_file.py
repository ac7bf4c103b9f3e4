"""Plug-in files in the harness: `--plugin`, `plugins:` in suites and spaces, what rows say about them, and `check`."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import bench
from bench.records.store import Store
from bench.running.backends.base import Job
from bench.running.backends.ray_trial import packed
from bench.suites.suite import load_suite
from lt_core import plugins
from lt_core.training import Runtime, run_trial
from tests.bench.harness import ROOT, TINY

LOSS = '''
import torch.nn.functional as F

from lt_core.fields import param
from lt_core.losses import Loss
from lt_core.methods import Neutral, method
from lt_core.parts import part


@part("loss", "stretched")
class Stretched(Loss):
    """Cross-entropy of stretched logits."""

    stretch: float = param(2.0, "factor on the logits; at 1 the loss is cross-entropy", above=0, tune=(0.5, 2.0))

    def bind(self, counts):
        return lambda outputs, labels: F.cross_entropy(self.stretch * outputs, labels, reduction="none")


method("stretch", "mine", "stretched logits", "nobody", loss="stretched", space=("stretch",), neutral=Neutral({"stretch": 1.0}))
'''
EDITED = LOSS.replace("self.stretch * outputs", "self.stretch * outputs + 0.1")
SMALL = {**TINY, "data": {**TINY["data"], "imbalance_factor": 10}, "methods": ["softmax", "stretch"], "seeds": 2}


def version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@pytest.fixture
def files(tmp_path):
    """A function that writes a suite, and the plug-in file with its method, into a folder of their own."""
    (tmp_path / "mine").mkdir()

    def write(text: str = LOSS, **changes: object) -> tuple[str, str]:
        plugin, suite = tmp_path / "mine" / "loss.py", tmp_path / "mine" / "tiny.yaml"
        plugin.write_text(text)
        suite.write_text(yaml.safe_dump({**SMALL, **changes}))
        return str(suite), str(plugin)

    return write


@pytest.fixture
def load_suite_of(files):
    """A function that loads a plug-in file with this text until the test is over, and gives a trial of it and the file."""
    loaded = []

    def load(text: str):
        suite, path = files(text, seeds=1, recipe={"base": "digits", "epochs": 2})
        loaded.append(plugins.load(path))
        return load_suite(suite).specs[-1], Path(path)

    yield load
    for plugin in loaded:
        plugins.forget(plugin.version)


def environments(store: Store) -> dict[str, dict]:
    frame = store.frame()
    return dict(zip(frame["label"], map(json.loads, frame["environment"]), strict=True))


def test_a_run_with_a_file_and_everything_that_reads_it_without(call, files):
    suite, plugin = files()
    code, out, err = call("run", suite, "--backend", "inline")
    assert (code, "unknown method 'stretch'" in err) == (2, True)
    code, out, _ = call("run", suite, "--backend", "inline", "--plugin", plugin)
    assert code == 0 and "4 trials to run" in out
    store, label = Store(Path("results/runs/tiny")), f"stretch@{version(LOSS)}"
    assert set(store.frame()["label"]) == {"softmax", label}
    assert set(store.frame()["status"]) == {"ok"}
    sha256 = hashlib.sha256(LOSS.encode()).hexdigest()
    assert environments(store)[label]["plugins"] == [{"file": "loss.py", "sha256": sha256}]
    for path in store.path.glob("*.parquet"):  # so that the records are read, not what was made while the file was loaded
        path.unlink()
    ids = {p.stem for p in store.records.iterdir()}
    assert {result.trial_id for result in Store(store.path).results()} == ids
    for command in (
        ("table", "catalogue", "--run", "tiny"), ("table", "cb", "--run", "tiny"), ("compare", "tiny"), ("leaderboard",),
        ("leaderboard", "--only", "stretch"), ("report", "tiny"), ("export", "--run", "tiny", "--out", "board"),
        ("plot", "per_class", "--run", "tiny"), ("merge", "tiny", "--out", "merged"), ("status", "tiny"),
    ):  # fmt: skip
        code, out, err = call(*command)
        assert code == 0, (command, err)
        assert label in out or command[0] in ("report", "export", "plot", "merge", "status")
    page = (store.path / "report.html").read_text()
    assert label in page and f"loss.py (SHA-256 {sha256[:16]}…)" in page
    board = json.loads(Path("board/leaderboard.json").read_text())
    (command,) = {row["command"] for row in board if row["label"] == label}
    assert command.startswith(f"python bench.py run tiny.yaml --only {label} ") and command.endswith("--plugin loss.py")


def test_an_edited_file_shares_no_row_with_what_it_was(call, files):
    suite, plugin = files()
    call("run", suite, "--backend", "inline", "--plugin", plugin)
    files(EDITED)
    code, out, _ = call("plan", suite, "--plugin", plugin)
    assert (code, "4 trials, 2 done, 0 failed, 2 left" in out) == (0, True), "softmax is as it was"
    call("run", suite, "--backend", "inline", "--plugin", plugin)
    store = Store(Path("results/runs/tiny"))
    counts = store.frame()["label"].value_counts().to_dict()
    assert counts == {"softmax": 2, f"stretch@{version(LOSS)}": 2, f"stretch@{version(EDITED)}": 2}
    _, out, _ = call("table", "catalogue", "--run", "tiny")
    assert all(f"stretch@{version(text)}" in out for text in (LOSS, EDITED))
    for only, trials in (("stretch", 2), (f"stretch@{version(EDITED)}", 2), ("stretch@*", 2)):
        _, out, _ = call("plan", suite, "--plugin", plugin, "--only", only)
        assert f"  {trials} trials, 2 done" in out
    code, _, err = call("run", suite, "--backend", "inline", "--plugin", plugin, "--only", f"stretch@{version(LOSS)}")
    assert (code, f"which has softmax, stretch@{version(EDITED)}" in err) == (2, True)


def test_verify_asks_for_the_file_that_made_a_row(call, files):
    suite, plugin = files()
    call("run", suite, "--backend", "inline", "--plugin", plugin)
    words = f"(stretch@{version(LOSS)}) was run with the plug-in file loss.py of SHA-256 {version(LOSS)}…"
    for options, also in (((), ""), (("--plugin", plugin), f", but another file of that name is loaded ({version(EDITED)}…)")):
        files(EDITED)
        code, _, err = call("verify", "tiny", "--sample", "4", *options)
        assert code == 2 and err.count("\n") == 1
        assert f"{words}{also}: pass that file with --plugin" in err
    files(LOSS)
    code, out, _ = call("verify", "tiny", "--sample", "4", "--plugin", plugin)
    assert (code, out.count("identical figures")) == (0, 4)


def test_a_worker_needs_the_text_of_a_file_alone(load_suite_of, tmp_path):
    """What Ray sends to a worker is opened in another process, which does not have the file."""
    spec, path = load_suite_of(LOSS)
    job = json.loads(packed(Job(spec, Runtime()), 0.0))
    path.unlink()
    code = (
        "import json, sys\n"
        "from bench.running.backends.ray_trial import steps\n"
        "*_, result = steps(json.load(sys.stdin))\n"
        "print(json.dumps(result.to_record()))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(job), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["status"], record["trial_id"]) == ("ok", spec.trial_id)
    assert record["confusion"] == run_trial(spec).confusion
    job["trial"]["plugins"][0]["text"] = "import nowhere_to_be_found\n" + LOSS
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(job), capture_output=True, text=True, cwd=ROOT)
    record = json.loads(done.stdout)
    assert (record["status"], record["trial_id"]) == ("failed", spec.trial_id)
    assert record["cause"].endswith("loss.py, line 1: ModuleNotFoundError: No module named 'nowhere_to_be_found'")


def test_files_are_given_in_python_too(files, tmp_path):
    suite, path = files()
    found = [load_suite(suite, plugins=path), load_suite(suite, plugins=[path])]
    assert {spec.method.name for spec in found[0].specs} == {"softmax", f"stretch@{version(LOSS)}"} and found[0] == found[1]
    plugins.forget(version(LOSS))
    try:
        asked = {"only": "stretch", "seeds": 1, "epochs": 2, "backend": "inline", "out": tmp_path / "out"}
        assert bench.run(suite, plugins=path, **asked).frame()["status"].tolist() == ["ok"]
        space = bench.load_space(_space(tmp_path), plugins=path)
        assert space.studies[0].methods == ("stretch",)
    finally:
        plugins.forget(version(LOSS))


def _space(folder: Path) -> Path:
    file = folder / "hunt.yaml"
    asked = {"about": "by how much", "recipe": "digits", "data": {**SMALL["data"], "validation": 10}, "trials": 2}
    file.write_text(
        yaml.safe_dump({**asked, "studies": {"one": {"methods": "stretch", "space": {"stretch": {"low": 1, "high": 2}}}}})
    )
    return file


def test_a_suite_and_a_group_name_their_files_relative_to_themselves(call, files, tmp_path):
    suite, _ = files(plugins=["loss.py"])
    (tmp_path / "both.yaml").write_text(yaml.safe_dump({"about": "two", "suites": [suite], "plugins": ["mine/loss.py"]}))
    for name in (suite, str(tmp_path / "both.yaml")):
        code, out, err = call("plan", name)
        assert (code, "4 trials" in out) == (0, True), err
    for named, words in (
        ("loss.py", "plugins must be a list of Python files"),
        (["gone.py"], f"error: suite file {suite}: plug-in {tmp_path / 'mine' / 'gone.py'} cannot be read"),
    ):
        suite, _ = files(plugins=named)
        code, _, err = call("plan", suite)
        assert (code, words in err, err.count("\n")) == (2, True, 1)


OTHERS = """
import numpy as np

from lt_core.data.sets import dataset
from lt_core.models.registry import MODELS, ModelInfo
from lt_core.models.small import MLP
from lt_core.recipes import recipe


def stripes():
    labels = np.arange(90) % 3
    images = np.zeros((90, 8, 8, 1), np.uint8)
    images[np.arange(90), labels] = 200
    images[:, 7, 7, 0] = np.arange(90)
    return (images[:60], labels[:60]), (images[60:], labels[60:])


dataset(name="stripes", about="one row is lit", train_counts=(20,) * 3, test_count=30, image_shape=(8, 8, 1), read=stripes)
MODELS.add("perceptron", ModelInfo("perceptron", "a perceptron", lambda shape: MLP(64)))
recipe("short", model="perceptron", epochs=1, lr=0.1, normalize="unit")
"""


def test_sets_models_and_recipes_of_a_file(call, files):
    data = {"dataset": "stripes", "imbalance_type": ["exp", "natural"]}
    suite, plugin = files(OTHERS, recipe="short", data=data, methods=["softmax"])
    at = f"@{version(OTHERS)}"
    code, out, err = call("run", suite, "--backend", "inline", "--plugin", plugin, "--where", "dataset=stripes")
    assert (code, f"stripes{at}" in out) == (0, True), err
    store = Store(Path("results/runs/tiny"))
    (row,) = store.frame()[["dataset", "model", "recipe"]].drop_duplicates().itertuples(index=False)
    assert tuple(row) == (f"stripes{at}", f"perceptron{at}", f"short{at}")
    store.path.joinpath("trials.parquet").unlink()
    assert sorted(Store(store.path).frame()["imbalance_factor"]) == [1.0] * 4
    _, out, _ = call("leaderboard")
    assert f"stripes{at}" in out
    for what, name in (("datasets", "stripes"), ("models", "perceptron"), ("recipes", "short")):
        code, out, _ = call("list", what, name, "--json", "--plugin", plugin)
        assert (code, json.loads(out)[0]["about"] != "") == (0, True)


def space(**changes: object) -> dict:
    study = {"methods": ["softmax", "stretch"], "space": {"stretch": {"values": [0.5, 2.0], "when": {"loss": "stretched"}}}}
    made = {
        "about": "a test", "recipe": {"base": "digits", "epochs": 2},
        "data": {"dataset": "digits", "imbalance_factor": 10, "n_max": 60, "validation": 20}, "studies": {"mine": study},
        "fresh_seeds": 1, "sampler": "grid", "plugins": ["loss.py"],
    }  # fmt: skip
    return {**made, **changes}


def test_a_space_tunes_the_method_of_a_file_and_its_winner_runs_as_it_is(call, files, tmp_path):
    files()
    path = tmp_path / "mine" / "hunt.yaml"
    path.write_text(yaml.safe_dump(space()))
    code, _, err = call("tune", str(path), "--backend", "inline")
    assert code == 0, err
    store = Store(Path("results/runs/hunt"))
    assert {f"stretch@{version(LOSS)}", f"stretch@{version(LOSS)}[stretch=0.5]"} <= set(store.frame()["label"])
    winner = yaml.safe_load((store.path / "winner_mine.yaml").read_text())
    assert winner["plugins"] == ["../../../mine/loss.py"]
    code, _, err = call("plan", str(store.path / "winner_mine.yaml"))
    assert code == 0, err
    files(EDITED)
    code, _, err = call("tune", str(path), "--backend", "inline")
    assert (code, "study mine was started with a different choice of methods" in err) == (2, True)


@pytest.mark.parametrize("command", ["plan", "run", "table", "status", "list", "check"])
def test_a_file_that_is_wrong_is_refused_in_one_sentence_by_every_command(call, files, command):
    suite, plugin = files("import lt_core\n\nx = missing\n")
    arguments = {
        "plan": [suite],
        "run": [suite],
        "table": ["cb", "--run", "x"],
        "status": ["x"],
        "list": ["methods"],
        "check": [],
    }
    options = ["--plugin"] if command != "check" else []
    code, _, err = call(command, *arguments[command], *options, plugin)
    assert (code, err) == (2, f"error: plug-in {plugin}, line 3: NameError: name 'missing' is not defined\n")


def test_a_file_that_is_given_twice_is_checked_once(call, files):
    _, plugin = files("from lt_core.recipes import recipe\n\nrecipe('mine', model='mlp')\n")
    assert call("check", plugin, plugin)[1].splitlines()[-1] == "1 check: 1 passed, 0 failed"


def test_check_prints_a_line_a_check_and_says_what_does_not_hold(call, files):
    _, plugin = files()
    code, out, _ = call("check", plugin)
    lines = out.splitlines()
    assert code == 0 and lines[-1] == f"{len(lines) - 1} checks: {len(lines) - 1} passed, 0 failed"
    assert "ok    method stretch: At its neutral point it equals the plainer method, to the bit" in lines
    assert "ok    loss stretched: It gives one number per image, [B], and does not average" in lines
    _, plugin = files(LOSS.replace('reduction="none"', 'reduction="mean"'))
    code, out, _ = call("check", plugin)
    assert code == 1 and out.splitlines()[-1].endswith(" failed")
    assert "FAIL  loss stretched: It gives one number per image, [B], and does not average: Stretched(stretch=2.0): " in out
