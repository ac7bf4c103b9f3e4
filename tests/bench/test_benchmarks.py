"""The conclusions that the benchmarks draw from their measurements."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.suites.planning import plan
from bench.suites.suite import load_suite
from lt_core.data import registered
from lt_core.data.pictures.manifest import read_manifest
from lt_core.recipes import RECIPES
from tests.pictures import pictures, tree

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        (
            (1.4, 1.3, 1.5),
            "is float32 here, and right: it trains 1.40 (1.30..1.50, n = 3) times as many images per second as bfloat16",
        ),
        ((0.7, 0.8, 0.6), "is float32 here, and WRONG: it trains only 0.70 (0.60..0.80, n = 3) times as many images per second"),
        ((0.9, 1.2, 1.1), "and these rounds do not show whether bfloat16 is faster: 1.10 (0.90..1.20, n = 3) times"),
    ],
)
def test_the_rule_of_precision_auto_is_called_wrong_only_if_every_round_says_so(monkeypatch, ratios, words):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from common import Spread
    from train_speed import verdict

    assert words in verdict("float32", "bfloat16", Spread(ratios), "precision auto")


@pytest.mark.parametrize(
    ("ratios", "enough"),
    [((0.9, 0.95, 0.99), False), ((0.9, 0.97, 0.99), True), ((0.96, 0.96, 1.0, 1.0, 0.96), False), ((1.0,), True)],
)
def test_auto_is_near_the_best_if_the_median_of_the_rounds_is(monkeypatch, ratios, enough):
    """A single round by chance neither passes nor fails it; the words say the same as the exit code."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from common import Spread
    from train_speed import near

    assert near(Spread(ratios)) == (enough, "within 3 %" if enough else "MORE THAN 3 % BEHIND")


@pytest.mark.parametrize(("slow", "code"), [(1.0, 0), (0.5, 1)])
def test_the_exit_code_says_whether_auto_is_near_the_best(monkeypatch, slow, code):
    """Every way is as fast as the others, except that `auto` has a share of their speed in all rounds but the last."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import train_speed

    def turns(ways, rounds):
        auto = next(iter(ways))
        return {way: [slow if way == auto and turn < rounds - 1 else 1.0 for turn in range(rounds)] for way in ways}

    for name, value in {
        "busy": lambda: 0.0, "cpus": lambda: 1, "taking_turns": turns, "autocast_dtype": lambda precision, device: torch.bfloat16,
        "our_training": lambda *what: None, "seconds_of_epoch": lambda *what: 1.0, "as_usual": lambda threads: None,
        "Usual": lambda *what: Namespace(seconds=lambda images: 1.0), "step_milliseconds": lambda *what: {"all": 1.0},
    }.items():  # fmt: skip
        monkeypatch.setattr(train_speed, name, value)
    monkeypatch.setattr(sys, "argv", ["train_speed.py", "--device", "cpu", "--rounds", "3", "--images-per-round", "4"])
    try:
        train_speed.main()
        ended = 0
    except SystemExit as error:
        ended = error.code
    assert ended == code


def test_a_way_that_is_hopelessly_slow_is_measured_once(monkeypatch):
    """The usual recipe is always measured: it is what ours is compared with."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from train_speed import USUAL, behind, hopeless

    fast, near, slow = ("float32", "a"), ("float32", "b"), ("bfloat16", "a")
    assert hopeless({fast: [100.0], near: [26.0], slow: [24.0], USUAL: [5.0]}) == {slow}
    assert behind({fast: [100.0, 90.0], slow: [24.0], USUAL: [5.0, 5.0]}, slow)[1].values == (0.24,)


@pytest.mark.slow
@pytest.mark.timeout(660)  # a processor without bfloat16 takes minutes
def test_all_that_is_planned_for_a_card_runs_without_one(tmp_path):
    suite = tmp_path / "tiny.yaml"
    suite.write_text(
        "about: dry\nrecipe: {base: digits, epochs: 1}\ndata: {dataset: digits, imbalance_factor: 100}\n"
        "methods: [softmax, ce_drw]\nseeds: 2\n"
    )
    words = [sys.executable, "benchmarks/gpu.py", "--dry", "--out", str(tmp_path / "out"), "--suites", str(suite)]
    parts = ("tests", "speed", "methods", "together", "cells")
    for said in ("ok", "measured before"):  # the same command a second time has only the trials to look for
        done = subprocess.run(
            words, cwd=ROOT, env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        places = [done.stdout.find(f"── {part}: {said}") for part in parts[:4]] + [done.stdout.find("── cells: ok")]
        assert -1 not in places and places == sorted(places), done.stdout
        assert "4 records" in done.stdout
    rows = json.loads((tmp_path / "out" / "methods.json").read_text())["rows"]
    assert rows and all(row["status"] == "ok" and row["same_twice"] and row["same_as_each_operation"] for row in rows)
    assert json.loads((tmp_path / "out" / "speed.json").read_text())["same"] == {"bfloat16": True, "float32": True}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "words", "told"),
    [("dispatch.py", ["--trials", "20"], "trials"), ("growth.py", ["--records", "1000"], "commands")],
)
def test_the_drivers_benchmarks_run(tmp_path, name, words, told):
    file = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, f"benchmarks/{name}", *words, "--json", str(file)], cwd=ROOT, env={**os.environ, "PYTHONPATH": "."},
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert file.exists(), done.stdout + done.stderr
    assert json.loads(file.read_text())[told]


@pytest.mark.parametrize(
    ("rates", "best"),
    [
        ({"taking turns": {"1": 30.0, "8": 29.0}}, (1, False)),
        ({"taking turns": {"1": 30.0, "8": 29.0}, "MPS": {"1": 28.0, "8": 60.0, "12": 59.0}}, (8, True)),
    ],
)
def test_as_many_trials_share_a_card_as_was_fastest(monkeypatch, tmp_path, rates, best):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from gpu_cells import best_number

    (tmp_path / "together.json").write_text(json.dumps({"images_per_second": rates}))
    assert best_number(tmp_path / "together.json") == best
    assert best_number(tmp_path / "missing.json") == (4, False)


def test_what_a_card_was_measured_for_is_not_measured_again(monkeypatch, tmp_path):
    """A part that was stopped, or that was run without a card, is run; trials are always looked for."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gpu

    (tmp_path / "speed.json").write_text('{"device": "cuda", "complete": true}')
    (tmp_path / "methods.json").write_text('{"device": "cuda", "complete": false, "rows": []}')
    (tmp_path / "together.json").write_text('{"device": "cpu", "complete": true}')
    started = []
    monkeypatch.setattr(gpu, "run", lambda words, limit: started.append(Path(words[1]).stem) or "")
    monkeypatch.setattr(gpu, "card", lambda: "a card")
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--only", "speed,methods,together,cells", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == 0
    assert started == ["gpu_methods", "gpu_together", "gpu_cells"]


def test_each_card_has_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gpu

    folders = []
    monkeypatch.setattr(gpu, "run", lambda words, limit: folders.append(words[words.index("--out") + 1]) or "")
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--only", "cells"])
    monkeypatch.chdir(tmp_path)
    for name in ("NVIDIA H100 80GB HBM3", "NVIDIA H200"):
        monkeypatch.setattr(gpu, "card", lambda name=name: name)
        with pytest.raises(SystemExit) as ended:
            gpu.main()
        assert ended.value.code == 0
    assert folders == [str(tmp_path / "results/runs/gpu" / name) for name in ("nvidia-h100-80gb-hbm3", "nvidia-h200")]


@pytest.mark.parametrize(
    ("given", "words"),
    [([], "torch finds no GPU on this machine: use --dry"), (["--only", "cells,speeed"], "--only: there is no part speeed")],
)
def test_gpu_measurements_that_cannot_begin_are_refused(monkeypatch, capsys, given, words):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gpu

    monkeypatch.setattr(gpu, "card", lambda: "")
    monkeypatch.setattr(gpu, "run", lambda words, limit: pytest.fail("something was started"))
    monkeypatch.setattr(sys, "argv", ["gpu.py", *given])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == 2 and words in capsys.readouterr().err


def test_methods_that_were_checked_are_not_checked_again(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from gpu_methods import left

    found = [{"method": "softmax", "precision": "float32"}, {"method": "crt", "precision": "bfloat16"}]
    assert left(found, ["softmax", "crt"], "cuda") == [("crt", "float32", "cuda"), ("softmax", "bfloat16", "cuda")]


def test_a_file_that_is_being_written_is_the_earlier_one_until_it_is_complete(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from common import measured_before, write_json

    file = tmp_path / "speed.json"
    write_json(file, {"device": "cuda", "rows": [1]})

    def stopped(path, text):
        with open(path, "w") as half:
            half.write(text[:5])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_json(file, {"device": "cuda", "rows": [1, 2]})
    assert measured_before(file, "cuda") == {"device": "cuda", "rows": [1]}
    assert measured_before(file, "cpu") == {} == measured_before(tmp_path / "none.json", "cuda")


def test_semi_supervised_cells_are_run_before_table_2_and_each_cell_is_selected_alone(monkeypatch):
    """They are trials of CReST's table, so that their records count there."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from gpu import SUITES
    from gpu_cells import selecting

    assert SUITES == ("cifar_lt", "crest_fold", "cb_table2")
    fold = load_suite("crest_fold").specs
    assert [spec.method.name for spec in fold] == ["fixmatch", "crest", "crest_plus"]
    assert {spec.trial_id for spec in fold} <= {spec.trial_id for spec in load_suite("crest_table1").specs}
    for suite, every in (("cifar_lt", 1), ("crest_fold", 1), ("cb_table2", 50)):
        for spec in load_suite(suite).specs[::every]:
            assert plan(load_suite(suite), **selecting(spec)).specs == (spec,)


@pytest.fixture
def photographs(tmp_path):
    return tree(tmp_path / "train", pictures((12, 8, 6)))


def test_both_ways_of_loading_show_the_same_pictures(monkeypatch, photographs):
    """Both give as many batches of the same shape, whose grey levels differ only by the random crops."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from loading import Ours, Usual

    monkeypatch.setenv("LT_CACHE", str(photographs.parent / "cache"))
    torch.manual_seed(0)  # the usual way draws from the global state
    recipe = replace(RECIPES["imagenet_lt_90"], crop=8, batch_size=10, jitter=(0.0, 0.0, 0.0))
    ours, usual = (torch.cat(list(way(10 * 26))) for way in (Ours(photographs, recipe, 9), Usual(photographs, recipe, 1)))
    assert ours.shape == usual.shape == (260, 3, 8, 8) and ours.dtype == usual.dtype
    for channel in range(3):
        assert abs(ours[:, channel].mean() - usual[:, channel].mean()) < 0.05
        assert abs(ours[:, channel].std() - usual[:, channel].std()) < 0.05


def test_loading_says_what_bounds_it(photographs, tmp_path):
    small = [
        "--size",
        "16",
        "--crop",
        "12",
        "--batch-size",
        "4",
        "--images",
        "8",
        "--rounds",
        "2",
        "--json",
        str(tmp_path / "out.json"),
    ]
    done = subprocess.run(
        [sys.executable, "loading.py", str(photographs), *small],
        cwd=ROOT / "benchmarks",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    out = json.loads((tmp_path / "out.json").read_text())
    assert out["pictures"] == 26 and len(out["rounds"]["ours"]) == len(out["rounds"]["usual"]) == 2
    assert out["ours"] > 0 and out["usual"] > 0 and out["decoded_once"] > 0
    for way in ("ours", "usual"):
        name = max(out["milliseconds"][way], key=out["milliseconds"][way].get)
        assert out["bounded_by"][way].startswith(name)
        assert f"what bounds {way}" in done.stdout


@pytest.mark.parametrize("layout", ["folders", "list"])
def test_very_many_files_are_a_set_whose_figures_are_taken(monkeypatch, empty_folders, tmp_path, layout):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import many_files

    monkeypatch.setattr(many_files, "CLASSES", 4)
    many_files.write_pictures(tmp_path, 40)
    found = {what: many_files.measured(what, layout, tmp_path, 16) for what in ("add", "begin", "usual", "trial")}
    assert all(its["seconds"] > 0 and 0 < its["imports"] <= its["memory"] for its in found.values())
    definition = registered.find(layout)
    assert sum(definition.train_counts) + definition.test_count == 40 and len(definition.train_counts) == 4
    (pixels,) = (tmp_path / "cache" / "pictures").glob("*/pixels.npy")
    assert np.load(pixels).shape == (40, 16, 16, 3)
    manifest = read_manifest(pixels.parent)
    assert manifest.readable.all() and len(set(manifest["sha256"])) == 40, "no two pictures are alike"


def test_a_soak_goes_on_from_the_counts_of_earlier_sittings(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from soak import Count

    file = tmp_path / "soak.json"
    first = Count.begun(file, seed=0)
    first.sittings.append({"seed": 0})
    first.faults["disk: full"] += 2
    first.lost = 1
    file.write_text(json.dumps(vars(first)))
    second = Count.begun(file, seed=1)
    second.faults["disk: full"] += 1
    assert second.words().startswith("1 sitting, 0 rounds, 0 trials, 3 faults (disk: full 3)\nrecords lost 1,")
    assert not second.clean
    with pytest.raises(SystemExit, match=r"already has a sitting with seed 0: give another --seed"):
        Count.begun(file, seed=0)


def test_the_tests_of_significance_are_tried_on_the_spreads_of_every_committed_run(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from told_apart import of_our_rows

    found = {setting.name: (len(setting.spreads), setting.blocks) for setting in of_our_rows()}
    assert found["quick, digits IF 100"] == (18, 3)
    assert found["frozen_cifar10, cifar10 IF 100"] == (53, 15), "a run without records counts too"
    assert found["equal_budget_cifar10, cifar10 IF 100"] == (13, 15), "trials of a search are left out"
