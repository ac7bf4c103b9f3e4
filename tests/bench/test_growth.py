"""Runs of many trials: what is computed only once, and what is not read at all."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from bench.analysis.metrics import of_finished
from bench.records import record_files
from bench.records.beside import Beside
from bench.records.nested import written, written_spec
from bench.records.record import encoded
from bench.records.store import Store
from bench.report.tables.cells import cell_of, cells_of
from bench.suites import cost
from bench.suites.planning import plan
from bench.suites.suite import load_suite
from lt_core.metrics import METRICS
from lt_core.result import FAILED
from tests.bench import synthetic
from tests.bench.harness import ROOT


@pytest.fixture
def run(tmp_path):
    return synthetic.store(tmp_path / "run", synthetic.run(["softmax", "ldam_drw"], seeds=3))


def test_records_of_a_few_trials_are_read_alone(run, monkeypatch):
    wanted = set(run.frame()["trial_id"].head(2))
    read, real = [], record_files.decoded
    monkeypatch.setattr(record_files, "decoded", lambda content: read.append(content) or real(content))
    assert {result.trial_id for result in run.results_of(wanted)} == wanted
    assert len(read) == 2


def test_of_trials_without_a_record_there_is_nothing(run):
    (first, *_) = run.frame()["trial_id"]
    assert [result.trial_id for result in run.results_of([first, "0000000000000000"])] == [first]


def test_what_few_records_have_is_found_in_one_pass_that_parses_only_these(tmp_path, run, monkeypatch):
    (record, other, *_) = sorted(run.records.glob("*.json"))
    record.write_bytes(encoded(replace(run.read(record.stem), embedding=[[0.0, 1.0, 2]], cause='says "embedding":[]')))
    parsed, real = [], record_files.decoded
    monkeypatch.setattr(record_files, "decoded", lambda content: parsed.append(content) or real(content))
    assert run.having("embedding") == {record.stem} and run.having("pictures") == set()
    assert parsed == [record.read_bytes()]
    assert Beside(synthetic.store(tmp_path / "own", [synthetic.trial("focal")]), [run]).having("embedding") == {record.stem}
    with run.lock():
        run.write(run.read(other.stem))
    record.unlink()
    assert run.having("embedding") == set(), "forgotten once a record is written"


def test_seeds_of_a_trial_are_priced_together_and_as_each_alone(monkeypatch):
    results = synthetic.run(["softmax", "ldam_drw"], seeds=3)
    specs = [result.spec for result in results]
    alone = [cost.work(spec) for spec in specs]
    asked, real = [], cost.work
    monkeypatch.setattr(cost, "work", lambda spec: asked.append(spec) or real(spec))
    assert cost.works(specs) == alone
    assert len(asked) == len({(spec.data, spec.method.label) for spec in specs}) < len(specs)


def test_a_specs_text_is_that_of_its_dictionary():
    for spec in load_suite("crest_digits").specs[:40:7]:
        assert written_spec(spec) == written(spec.to_dict())


def test_cells_by_label_are_those_of_each_label(tmp_path):
    failed = synthetic.trial("focal", status=FAILED, cause="broken")
    frame = synthetic.store(tmp_path / "run", [*synthetic.run(["softmax", "ldam_drw"], seeds=3), failed]).frame()
    found = cells_of(METRICS["error"], frame, ["softmax", "ldam_drw", "focal", "missing"])
    for label, cell in found.items():
        assert cell == cell_of(METRICS["error"], frame[frame["label"] == label])
    assert found["focal"].failed == 1 and found["missing"].mean is None
    assert list(found["softmax"].values.values()) == of_finished(METRICS["error"], frame[frame["label"] == "softmax"]).tolist()


def test_status_does_not_wait_for_torch(run):
    code = """
import sys
from bench.cli.app import app
app(["status", sys.argv[1]], standalone_mode=False)
print("torch" in sys.modules or "scipy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code, str(run.path)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"{len(run.frame())} ok" in done.stdout and done.stdout.endswith("False\n")


def test_the_benchmark_fills_a_run_that_has_nothing_left(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import growth

    monkeypatch.setattr(growth, "LABELS", 2)
    monkeypatch.setattr(growth, "_EACH_SEED", 40)
    growth.fill(40, tmp_path / "growth.yaml")
    store = Store(tmp_path / "growth")
    found = plan(load_suite(tmp_path / "growth.yaml"), store)
    assert found.counts() == {"trials": 40, "done": 40, "failed": 0, "left": 0}
    assert store.frame()["accuracy"].nunique() > 10
