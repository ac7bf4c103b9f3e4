"""Stages that trials share, CReST and generators, on the command line with a real Ray, from data to figures."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

from bench.records import predictions
from bench.records.store import Store
from tests.bench.harness import cli

DIGITS = {"base": "digits", "epochs": 3}


@pytest.mark.slow
def test_two_stage_and_semi_supervised_suites_end_in_tables_and_figures(tmp_path):
    data = {"dataset": "digits", "imbalance_factor": 10, "n_max": 60}
    suites = {
        "stages": {
            "about": "one stage one for all", "recipe": DIGITS, "table": "catalogue", "data": {**data, "validation": 5},
            "methods": ["crt", "lws", "ncm", "tau_norm", "smote_features"], "seeds": 2,
        },
        "few": {
            "about": "few labels", "recipe": {"base": "digits_semi", "epochs": 2, "steps": 4}, "table": "crest",
            "data": {**data, "label_fraction": 0.3}, "methods": ["fixmatch", "crest", "crest_plus"],
            "set": {"unsup_ratio": 1, "generations": 2}, "seeds": 1, "subset_seeds": 2,
        },
    }  # fmt: skip
    for name, suite in suites.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(suite))
    files = [str(tmp_path / f"{name}.yaml") for name in suites]
    done = cli("run", *files, "--embed", "--keep", "predictions", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr + done.stdout
    stages = pd.read_parquet(tmp_path / "stages" / "trials.parquet")
    assert (stages["status"] == "ok").all() and len(stages) == 10
    assert len(list((tmp_path / "stages" / "stages").glob("*.pt"))) == 2, "softmax once a seed, for five methods"
    assert stages.groupby("seed")["environment"].apply(lambda e: e.str.contains('"norm_tau"').sum()).tolist() == [1, 1]

    store = Store.open(tmp_path / "stages")
    for result in store.results():
        assert predictions.read(store, result.trial_id, result.environment).test.confusion.tolist() == result.confusion

    few = pd.read_parquet(tmp_path / "few" / "trials.parquet")
    assert set(few["label_fraction"]) == {0.3} and set(few["subset_seed"]) == {0, 1} and (few["status"] == "ok").all()
    rounds = pd.read_parquet(tmp_path / "few" / "rounds.parquet")
    assert len(rounds) == 2 * 10 * (1 + 2 + 2)
    assert "w/ CReST+" in done.stdout and "set for every method that has it: generations=2, unsup_ratio=1" not in done.stdout
    assert "set for every method that has it: unsup_ratio=1" in done.stdout
    assert (tmp_path / "few" / "plots" / "generations.svg").read_text().startswith("<?xml")
    drawn = cli("plot", "tsne", "--run", str(tmp_path / "few"), "--out", str(tmp_path / "tsne.png"))
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "tsne.png").stat().st_size > 10_000
    again = cli("run", *files, "--out", str(tmp_path))
    assert again.stdout.count("nothing to run") == 2


def test_joint_generation_ends_in_its_table_beside_the_paper_and_in_pictures(tmp_path):
    suite = {
        "about": "images made", "recipe": DIGITS, "table": "joint", "seeds": 2,
        "data": {"dataset": "digits_9v5", "imbalance_factor": 10, "n_max": 60},
        "methods": ["softmax", "smote", "joint_aug", "joint_alt"], "set": {"gan_width": 4, "gan_blocks": 1},
    }  # fmt: skip
    (tmp_path / "made.yaml").write_text(yaml.safe_dump(suite))
    done = cli("run", str(tmp_path / "made.yaml"), "--embed", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr + done.stdout
    trials = pd.read_parquet(tmp_path / "made" / "trials.parquet")
    assert (trials["status"] == "ok").all() and len(trials) == 8 and trials["minority_f1"].between(0, 1).all()
    assert "Joint, AUG" in done.stdout and "CelebA, paper" in done.stdout and "gan_blocks=1, gan_width=4" in done.stdout
    curves = pd.read_parquet(tmp_path / "made" / "curves.parquet").merge(trials[["trial_id", "method"]])
    assert curves.groupby("method")["epoch"].max().to_dict() == {"softmax": 3, "smote": 3, "joint_alt": 5, "joint_aug": 6}
    drawn = cli("plot", "translations", "--run", str(tmp_path / "made"), "--out", str(tmp_path / "made.png"))
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "made.png").stat().st_size > 10_000
    page = (tmp_path / "made" / "report.html").read_text()
    assert page.count("data:image/png;base64,") >= 2
