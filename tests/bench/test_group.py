"""Groups of suites, and selecting trials of suites by their data."""

from __future__ import annotations

import subprocess

import pytest
import yaml

import bench
from bench.suites.group import Group, load, suites_in
from bench.suites.planning import NothingMatches, plan
from bench.suites.suite import parse_suite
from lt_core.errors import UserError
from tests.bench.harness import ROOT, TINY

SMALL = {"recipe": {"base": "digits", "epochs": 1}, "seeds": 1}


@pytest.fixture
def write_group(tmp_path, write_suite):
    """A function that writes a group of two suites, `one` (softmax) and `two` (softmax, over_sampling), with changes."""
    one = write_suite("one", methods=["softmax"], **SMALL)
    two = write_suite("two", methods=["softmax", "over_sampling"], **SMALL)

    def write(name: str = "both", **changes: object) -> str:
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"about": "two suites", "suites": [one, two], **changes}))
        return str(path)

    return write


def test_the_shipped_group_holds_the_papers_suites_and_no_trial_twice():
    group = load("full")
    assert isinstance(group, Group)
    assert {"cb_table2", "mm_table", "crest_table1", "joint_table", "bisampling"} <= {suite.name for suite in group.suites}
    ids = [spec.trial_id for suite in group.suites for spec in suite.specs]
    assert len(set(ids)) == len(ids)
    small = load("papers")
    assert isinstance(small, Group) and group.suites[: len(small.suites)] == small.suites
    assert {suite.name for suite in group.suites[len(small.suites) :]} == {
        "joint_horse2zebra", "joint_cub", "joint_celeba",
        "imagenet_lt", "places_lt", "inat2018", *(suite.name for suite in suites_in(load("cb_table3")))
    }  # fmt: skip


def test_a_group_is_listed_with_its_trials(call):
    _, out, _ = call("list", "suites", "full")
    assert "(group of 19 suites, 3153 trials)" in out


def test_a_group_is_planned_with_its_total_and_run_in_order_into_folders_of_its_suites(call, write_group, tmp_path):
    code, out, _ = call("plan", write_group(), "--workers", "4")
    assert code == 0
    assert out.index("one: ") < out.index("two: ") < out.index("2 suites: 6 trials, 0 done, 0 failed, 6 left")
    assert "with 4 at a time" in out.splitlines()[-1]
    code, out, _ = call("run", write_group(), "--backend", "inline")
    assert code == 0
    # A suite's table is printed as soon as the suite is finished, because the next one may take days.
    assert out.index("one: 2 trials to run") < out.index("one/tables") < out.index("two: 4 trials to run")
    runs = tmp_path / "results" / "runs"
    assert {p.name: len(list(p.glob("records/*.json"))) for p in runs.iterdir()} == {"one": 2, "two": 4}
    _, out, _ = call("run", write_group(), "--backend", "inline")
    assert out.count("nothing to run") == 2
    _, out, _ = call("plan", write_group())
    assert out.splitlines()[-2:] == ["2 suites: 6 trials, 6 done, 0 failed, 0 left", "  nothing left to run"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"suites": ["quik"]}, "group both: unknown suite 'quik': did you mean 'quick'"),
        ({"suites": ["full"]}, "group both contains the group full: a group may list only suites"),
        ({"suites": []}, "group both: suites must be a list of one or more suites"),
        ({"suites": None}, "group both: suites must be a list of one or more suites"),
        ({"suites": ["quick", "quick"]}, "group both names the suite quick twice"),
        ({"seeds": 3}, "group both: unknown key 'seeds'"),
    ],
)
def test_groups_that_are_refused(call, write_group, changes, says):
    code, out, err = call("plan", write_group(**changes))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_group_that_contains_itself_is_refused(call, write_group):
    path = write_group()
    _, _, err = call("plan", write_group(suites=[path]))
    assert "group both contains itself: a group may list only suites" in err


def test_a_group_is_no_suite_for_the_library():
    with pytest.raises(UserError, match="full is a group of suites: name one of its suites instead"):
        bench.load_suite("full")


def test_a_suite_of_a_group_that_has_nothing_of_what_is_asked_for_is_left_out(call, write_group, tmp_path):
    code, out, _ = call("run", write_group(), "--backend", "inline", "--only", "over*")
    assert code == 0
    assert "one: skipped because no trial of it matches" in out
    assert [p.name for p in (tmp_path / "results" / "runs").iterdir()] == ["two"]
    code, _, err = call("run", write_group(), "--backend", "inline", "--only", "x*")
    assert (code, "no trial matches in any of the suites" in err) == (2, True)
    # If the suite was named itself, it is an error that nothing matches.
    code, _, err = call("plan", str(tmp_path / "one.yaml"), str(tmp_path / "two.yaml"), "--only", "over*")
    assert (code, "--only 'over*' matches no method of suite one" in err) == (2, True)


def test_data_that_a_later_suite_lacks_are_missed_before_the_first_begins(call, write_group, write_suite, tmp_path):
    far = write_suite("far", data={"dataset": "cifar10", "imbalance_factor": 100}, methods=["softmax"], **SMALL)
    path = write_group(suites=[str(tmp_path / "one.yaml"), far])
    code, out, err = call("run", path, "--backend", "inline", "--data", str(tmp_path / "nowhere"))
    assert (code, out) == (2, "")
    assert "nowhere does not exist: set --data (or LT_DATA) to a folder that contains cifar10" in err
    assert not (tmp_path / "results").exists()
    # A suite that is left out needs no data.
    assert call("run", path, "--backend", "inline", "--data", str(tmp_path / "nowhere"), "--where", "dataset=digits")[0] == 0


def test_where_keeps_the_trials_on_such_data(call, write_suite, tmp_path):
    suite = parse_suite("tiny", TINY)
    for value in (50, 50.0, "50", "5e1"):
        specs = plan(suite, where={"imbalance_factor": value, "dataset": "digits"}).specs
        assert len(specs) == 8
        assert {spec.data.imbalance_factor for spec in specs} == {50.0}
    assert len(plan(suite, where={"class_order_seed": "none", "unlabelled_labelled": "true"}).specs) == 16
    code, out, _ = call("run", write_suite(**SMALL), "--backend", "inline", "--where", "dataset=digits, imbalance_factor=50")
    assert code == 0
    assert "tiny: 4 trials to run" in out


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("imbalance_factr=50", "--where: unknown key 'imbalance_factr': did you mean 'imbalance_factor'"),
        ("imbalance_factor=100", "--where imbalance_factor=100 matches no trial of suite tiny, which has 10, 50"),
        ("imbalance_factor=much", "--where: imbalance_factor must be a number, got 'much'"),
        ("imbalance_factor=0.5", "--where: imbalance_factor must be in [1, inf), got 0.5"),
        ("imbalance_type=stp", "--where: imbalance_type must be in exp | step | majority | natural | counts, got 'stp'"),
        (
            "imbalance_factor",
            "--where needs KEY=VALUE pairs, such as dataset=cifar10,imbalance_factor=100 or counts=[50,30,10]; got '",
        ),
        (
            "counts=50,30,10",
            "--where needs KEY=VALUE pairs, such as dataset=cifar10,imbalance_factor=100 or counts=[50,30,10]; got '",
        ),
        (
            "counts=[50,30",
            "--where needs KEY=VALUE pairs, such as dataset=cifar10,imbalance_factor=100 or counts=[50,30,10]; got '",
        ),
        ("counts=50", "--where: counts must be a list such as [3,2,1], got '50'"),
        ("counts=[50,30]", "--where counts=[50,30] matches no trial of suite tiny, which has []"),
        ("imbalance_factor=", "--where needs KEY=VALUE pairs, such as"),
        ("n_max=100,n_max=50", "--where takes one value per key"),
    ],
)
def test_a_where_that_is_refused(call, write_suite, where, says):
    code, out, err = call("plan", write_suite(), "--where", where)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_class_sizes_are_written_in_brackets(call, write_suite):
    falling, flat = [50, 40, 30, 20, 10, 9, 8, 7, 6, 5], [20] * 10
    data = [{"dataset": "digits", "imbalance_type": "counts", "counts": counts} for counts in (falling, flat)]
    path = write_suite(**SMALL | {"data": data})
    code, out, _ = call("plan", path, "--where", "dataset=digits,counts=[50,40,30,20,10,9,8,7,6,5]")
    assert code == 0 and "4 trials, 0 done" in out
    code, _, err = call("plan", path, "--where", "counts=[50]")
    assert code == 2 and "which has [50,40,30,20,10,9,8,7,6,5], [20,20,20,20,20,20,20,20,20,20]" in err


def test_values_named_are_those_that_would_match():
    data = [{"dataset": "digits", "imbalance_factor": 10, "n_max": n} for n in (50, 60)]
    data.append({"dataset": "digits", "imbalance_factor": 20, "n_max": 70})
    with pytest.raises(NothingMatches, match=r"n_max=70 matches no trial of suite tiny, which has 50, 60$"):
        plan(parse_suite("tiny", {**TINY, "data": data}), where={"imbalance_factor": 10, "n_max": 70})


# One run folder, one file -------------------------------------------------------------------------


def written(folder, name, **changes):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**TINY, **SMALL, "methods": ["softmax"], **changes}))
    return str(path)


@pytest.mark.parametrize("name", ["quick", "full", "cb"])
def test_a_file_that_has_the_name_of_what_comes_with_the_benchmark_is_refused(call, write_group, tmp_path, name):
    """Suites, groups and tuning spaces share run folders, which have their names."""
    path = written(tmp_path / "sub", name)
    for arguments in (("run", path), ("plan", path), ("plan", write_group(suites=[path])), ("tune", path)):
        code, _, err = call(*arguments)
        assert code == 2 and "which comes with the benchmark, and would share its run folder: rename it" in err, err
    with pytest.raises(UserError, match="rename it, for example to my_"):
        bench.load_suite(path)
    assert not (tmp_path / "results").exists()


def test_a_copy_of_a_built_in_suite_is_that_suite(tmp_path):
    (tmp_path / "quick.yaml").write_bytes((ROOT / "search_spaces" / "quick.yaml").read_bytes())
    assert bench.load_suite(str(tmp_path / "quick.yaml")).specs == bench.load_suite("quick").specs


def test_two_files_of_one_name_do_not_share_a_run_folder(call, tmp_path):
    one, two = written(tmp_path / "a", "mine"), written(tmp_path / "b", "mine", methods=["over_sampling"])
    code, _, err = call("plan", one, two)
    assert code == 2 and "would share the run folder results/runs/mine: rename one of the two files" in err
    assert call("run", one, "--backend", "inline")[0] == 0
    for name in ("run", "plan"):
        code, _, err = call(name, two)
        words = f"the run folder results/runs/mine belongs to {one}, not to {two}: rename the file, or choose another --out"
        assert code == 2 and words in err
    assert call("run", two, "--backend", "inline", "--out", "elsewhere")[0] == 0
    one = written(tmp_path / "a", "mine", methods=["softmax", "over_sampling"])
    assert "4 trials, 2 done" in call("plan", one)[1], "the same file may change"
    (tmp_path / "a" / "mine.yaml").rename(tmp_path / "mine.yaml")
    assert "4 trials, 2 done" in call("plan", str(tmp_path / "mine.yaml"))[1], "or move"


# Committed rows -----------------------------------------------------------------------------------


def state(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_no_command_writes_into_committed_rows(call, tmp_path):
    """Records that git tracks are never changed, wherever they are; a run that is not committed can be continued next to them."""
    tiny = written(tmp_path, "tiny")
    assert call("run", tiny, "--backend", "inline", "--out", "kept")[0] == 0
    assert call("run", tiny, "--backend", "inline", "--out", "other", "--seeds", "2")[0] == 0
    for arguments in (("init", "-q"), ("add", "kept/tiny/records")):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    before = state(tmp_path / "kept")
    also = written(tmp_path, "also")
    for arguments in (
        ("run", tiny, "--backend", "inline", "--out", "kept", "--seeds", "2"),
        ("run", also, tiny, "--backend", "inline", "--out", "kept"),
        ("merge", "other/tiny", "--out", "kept/tiny"),
    ):
        code, _, err = call(*arguments)
        assert code == 2 and "kept/tiny holds committed rows, which no command overwrites" in err, err
    assert state(tmp_path / "kept") == before and call("plan", tiny, "--out", "kept")[0] == 0
    assert call("run", tiny, "--backend", "inline", "--out", "other", "--seeds", "3")[0] == 0


@pytest.mark.parametrize("out", ["results", "results/../results", str(ROOT / "results")])
def test_runs_are_not_kept_beside_the_benchmarks_own_rows(call, tmp_path, monkeypatch, out):
    tiny = written(tmp_path, "tiny_of_the_tests")
    monkeypatch.chdir(ROOT)
    code, _, err = call("run", tiny, "--backend", "inline", "--out", out)
    assert code == 2 and "tiny_of_the_tests would be inside the folder of the benchmark's committed rows" in err
    assert not (ROOT / "results" / "tiny_of_the_tests").exists()
