"""`run --keep predictions`: what is stored next to the records, what is said about trials without them, and how they are used."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import bench
from bench.records import predictions, side_files
from bench.records.merge import merge
from bench.records.store import Store
from lt_core.errors import UserError
from lt_core.result import TrialResult
from lt_core.side_file import PREDICTIONS
from tests.bench.harness import ROOT, TINY, cli, same

ONE_EPOCH = {"recipe": {"base": "digits", "epochs": 1}, "methods": ["softmax", "logit_adjusted"], "seeds": 1}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run of four trials of one epoch on digits with their predictions, made with the command line's own options."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "tiny.yaml").write_text(yaml.safe_dump({**TINY, **ONE_EPOCH}))
    done = cli("run", str(folder / "tiny.yaml"), "--backend", "inline", "--keep", "predictions", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    assert "predictions of" not in done.stdout
    return Store.open(folder / "tiny")


@pytest.fixture
def copy(kept, tmp_path):
    """A copy of that run, which tests may damage."""
    return Store(shutil.copytree(kept.path, tmp_path / "copy" / "tiny"))


def test_each_trial_leaves_a_file_whose_digest_its_record_has(kept):
    for result in kept.results():
        made = predictions.read(kept, result.trial_id, result.environment)
        assert made.test.confusion.tolist() == result.confusion
        assert made.validation.confusion.tolist() == result.validation_confusion
    assert len(list((kept.path / "predictions").iterdir())) == len(kept.frame()) == 4
    assert side_files.without(kept, PREDICTIONS, kept.frame()["trial_id"]) == (0, 4)


def test_figures_are_those_of_a_run_without(kept, write_suite, tmp_path):
    plain = bench.run(write_suite(**ONE_EPOCH), backend="inline", out=tmp_path)
    assert not (plain.path / "predictions").exists()
    same(plain.path, kept.path)


def test_finished_trials_without_are_not_run_again_and_told(write_suite, tmp_path, capsys):
    options = {"backend": "inline", "out": tmp_path, "only": "softmax"}
    store = bench.run(write_suite(**ONE_EPOCH), limit=1, **options)
    before = {path.name: path.stat().st_mtime_ns for path in store.records.iterdir()}
    capsys.readouterr()
    store = bench.run(write_suite(**ONE_EPOCH), keep="predictions", **options)
    told = f"{store.path}/predictions lacks the predictions of 1 of 1 finished trial: --keep predictions with another --out"
    assert capsys.readouterr().out.splitlines()[0].startswith(told)
    assert len(list((store.path / "predictions").iterdir())) == 1
    after = {path.name: path.stat().st_mtime_ns for path in store.records.iterdir()}
    assert len(after) == 2 and {name: after[name] for name in before} == before
    assert sum(PREDICTIONS.name in result.environment for result in store.results()) == 1
    bench.run(write_suite(**ONE_EPOCH), **options)
    assert "predictions of" not in capsys.readouterr().out, "who asks for none hears of none"


def test_predictions_that_could_not_be_written_are_told_at_the_end(write_suite, tmp_path, capsys):
    """As if the disk were full, or a node saw another folder."""
    store = Store.create(tmp_path / "tiny")
    (store.path / "predictions").touch()
    with pytest.warns(UserWarning, match="no predictions are written"):
        bench.run(write_suite(**ONE_EPOCH), backend="inline", out=tmp_path, limit=1, keep="predictions")
    assert "lacks the predictions of 1 of 1 finished trial" in capsys.readouterr().out
    assert set(store.frame()["status"]) == {"ok"}


def test_other_things_to_keep_are_refused(tmp_path, write_suite):
    with pytest.raises(UserError, match="unknown keep 'logits'"):
        bench.run(write_suite(), keep="logits")
    with pytest.raises(UserError, match="a study keeps no predictions"):
        bench.tune("digits_cb", keep="predictions", out=tmp_path)


def test_a_damaged_a_missing_and_another_trials_file_are_refused_by_name(copy):
    first, second, third, _ = copy.results()
    folder = copy.predictions
    (folder / f"{first.trial_id}.npz").write_bytes(b"PK nothing")
    (folder / f"{second.trial_id}.npz").unlink()
    shutil.copy(folder / f"{third.trial_id}.npz", folder / f"{second.trial_id}.npz")
    for result in (first, second):
        with pytest.raises(UserError, match=rf"{result.trial_id}\.npz are damaged or belong to another trial"):
            predictions.read(copy, result.trial_id, result.environment)
    (folder / f"{third.trial_id}.npz").unlink()
    with pytest.raises(UserError, match=rf"{third.trial_id}\.npz cannot be read"):
        predictions.read(copy, third.trial_id, third.environment)
    assert side_files.without(copy, PREDICTIONS, copy.frame()["trial_id"]) == (1, 4)


def test_records_from_before_have_none(copy):
    old = next(copy.results()).to_record()
    del old["environment"][PREDICTIONS.name]
    result = TrialResult.from_record(old)
    assert predictions.read(copy, result.trial_id, result.environment) is None


def test_runs_that_are_merged_keep_them(kept, tmp_path):
    merge([kept], tmp_path / "both", say=lambda words: None)
    both = Store.open(tmp_path / "both")
    for result in both.results():
        assert predictions.read(both, result.trial_id, result.environment).test.confusion.tolist() == result.confusion


# Metrics of one's own that look at each image ---------------------------------------------------------

TOP_3 = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "metrics.md").read_text(), re.S)[1]


def test_a_metric_that_no_record_knows_ranks_a_run_afterwards(copy, call):
    """As docs/metrics.md promises."""
    Path("top_3.py").write_text(TOP_3)
    run = str(copy.path)
    code, out, err = call("table", "catalogue", "--run", run, "--metric", "top_3", "--plugin", "top_3.py", "--format", "json")
    assert code == 0, err
    cells = {(cell["row"], cell["column"]): cell["mean"] for cell in json.loads(out)["cells"]}
    assert len(cells) == 4
    frame = copy.frame()
    for result in copy.results():
        test = predictions.read(copy, result.trial_id, result.environment).test
        best = np.argsort(-test.log_probabilities, axis=1)[:, :3]
        found = np.mean([label in row for label, row in zip(test.labels, best, strict=True)])
        assert cells[result.spec.method.label, f"{result.spec.data.imbalance_factor:g}"] == pytest.approx(100 * found)
        assert found > frame.set_index("trial_id").loc[result.trial_id, "accuracy"]
    code, out, err = call("compare", run, "--metric", "top_3", "--plugin", "top_3.py")
    assert code == 0 and "Against softmax: top-3 accuracy in %" in out, err


def test_where_predictions_are_damaged_such_a_metric_is_empty_and_names_the_file(copy, call):
    Path("top_3.py").write_text(TOP_3)
    for file in copy.predictions.iterdir():
        file.write_bytes(b"")
    words = r"metric top_3 fails for some trials and is left empty there: UserError: the predictions .*\.npz are damaged"
    with pytest.warns(UserWarning, match=words):
        code, out, _ = call("table", "catalogue", "--run", str(copy.path), "--metric", "top_3", "--plugin", "top_3.py")
    assert code == 0 and "softmax" in out
