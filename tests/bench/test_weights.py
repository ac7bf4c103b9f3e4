"""`run --keep weights` and `weights`: networks are stored next to records, merged with them, copied, and rejected if damaged."""

from __future__ import annotations

import shutil

import pytest
import torch
import yaml

import bench
from bench.explaining.kept import kept_trials, network
from bench.records import predictions, side_files
from bench.records.merge import merge
from bench.records.store import Store
from lt_core.data.sources import load_set
from lt_core.errors import UserError
from lt_core.side_file import WEIGHTS
from lt_core.trained import load
from tests.bench.harness import TINY, cli

ONE_EPOCH = {"recipe": {"base": "digits", "epochs": 1}, "methods": ["logit_adjusted", "softmax"], "seeds": 1}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run of four trials of one epoch on digits that keeps everything, made with the command line's own option."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "tiny.yaml").write_text(yaml.safe_dump({**TINY, **ONE_EPOCH}))
    done = cli("run", str(folder / "tiny.yaml"), "--backend", "inline", "--keep", "all", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    return Store.open(folder / "tiny")


def test_each_network_predicts_what_its_trial_predicted(kept):
    assert [result.spec.method.label for result in kept_trials(kept)] == ["softmax"] * 2 + ["logit_adjusted"] * 2
    assert side_files.without(kept, WEIGHTS, kept.frame()["trial_id"]) == (0, 4)
    pixels = torch.from_numpy(load_set("digits").test_pixels())
    for result in kept_trials(kept):
        made = predictions.read(kept, result.trial_id, result.environment)
        assert network(kept, result)(pixels).argmax(dim=1).tolist() == made.test.predicted.tolist()


def test_copies_for_elsewhere(kept, call, tmp_path):
    code, out, err = call("weights", str(kept.path), "--method", "soft*", "--out", "there")
    assert code == 0, err
    files = sorted((tmp_path / "there").iterdir())
    assert [f"there/{file.name}" for file in files] == sorted(out.split())
    assert files[0].name.startswith("softmax-digits-if-10-seed-0-")
    assert {load(file).spec.trial_id for file in files} == {r.trial_id for r in kept_trials(kept, "softmax")}


def test_what_is_missing_or_damaged_is_told(kept, call, write_suite, tmp_path):
    copy = Store(shutil.copytree(kept.path, tmp_path / "copy"))
    first = kept_trials(copy)[0]
    file = WEIGHTS.path(side_files.folder(copy, WEIGHTS), first.trial_id)
    file.write_bytes(file.read_bytes()[:-1])
    code, _, err = call("weights", str(copy.path), "--out", "there")
    assert code == 2 and f"{first.trial_id}.safetensors are damaged or belong to another trial" in err
    (tmp_path / "full").touch()
    code, _, err = call("weights", str(kept.path), "--out", "full")
    assert code == 2 and "cannot be written" in err and "--out" in err
    plain = bench.run(write_suite(**ONE_EPOCH), backend="inline", out=tmp_path, limit=1)
    code, _, err = call("weights", str(plain.path), "--out", "there")
    assert code == 2 and "has kept its weights: run them with --keep weights" in err


def test_runs_that_are_merged_keep_them(kept, tmp_path):
    merge([kept], tmp_path / "both", say=lambda words: None)
    both = Store.open(tmp_path / "both")
    for result in kept_trials(both):
        assert network(both, result).spec == result.spec


def test_a_study_keeps_none(tmp_path):
    with pytest.raises(UserError, match="a study keeps no predictions and no weights"):
        bench.tune("digits_cb", keep="all", out=tmp_path)
