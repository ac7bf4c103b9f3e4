"""A grid from the command line: which suite it makes, what is rejected, and a run of one."""

from __future__ import annotations

import dataclasses

import pytest
import yaml
from typer.main import get_command

from bench.cli.app import app
from bench.cli.command import _fields_spelled_out
from bench.records.store import Store
from bench.running.driver import run_plan
from bench.running.execution import Execution
from bench.suites.grid import RECIPE_OF, Grid
from bench.suites.planning import plan
from bench.suites.selection import Selection
from bench.suites.suite import SuiteFile, load_suite
from lt_core.data.sets import DATASETS
from lt_core.errors import UserError
from lt_core.methods import METHODS, resolve
from lt_core.recipes import RECIPES, Recipe
from lt_core.spec import DataSpec
from tests.bench.harness import cli

MINE = ["--dataset", "digits", "--methods", "softmax,cb_*", "--name", "mine"]


def grid(*fields, **more):
    return Grid(**{"dataset": "digits", "methods": "softmax", "name": "mine", "fields": fields, **more})


def labels(suite):
    return list(dict.fromkeys(spec.method.label for spec in suite.specs))


def test_lists_are_multiplied_out(tmp_path):
    asked = grid("imbalance_factor=10,50", "cb_beta=0.99,0.999", methods="softmax,cb_sigmoid")
    suite, left = asked.suite(tmp_path, Selection(seeds="2"))
    assert labels(suite) == ["softmax", "cb_sigmoid[cb_beta=0.99]", "cb_sigmoid[cb_beta=0.999]"]
    assert len(suite.specs) == 3 * 2 * 2 and left == Selection()
    assert suite.table == "catalogue", "a table of nobody's layout"


def test_what_is_saved_asks_for_the_same_trials(tmp_path):
    file = tmp_path / "saved.yaml"
    asked = grid(
        "imbalance_type=counts", "counts=[50,30,10,9,8,7,6,5,4,3],[40,30,10,9,8,7,6,5,4,3]", "lr=0.1,0.05", "subset_seeds=2",
        methods="softmax,ldam[weights=inverse],!resampling", save_suite=file,
    )  # fmt: skip
    suite, _ = asked.suite(tmp_path, Selection(seeds="=4", epochs=3, precision="float32"))
    assert {spec.recipe.epochs for spec in suite.specs} == {3} and {spec.recipe.lr for spec in suite.specs} == {0.1, 0.05}
    assert {spec.data.counts[0] for spec in suite.specs} == {50, 40} and {spec.seed for spec in suite.specs} == {4}
    assert load_suite(file).specs == suite.specs


def test_an_epoch_from_the_selection_is_that_of_a_suite_file(tmp_path):
    """A grid writes it into its file, and a run of a file changes its recipe. Both give the same trials."""
    file = tmp_path / "base.yaml"
    file.write_text(yaml.safe_dump(grid().content()))
    for asked in ({"epochs": 2, "seeds": 2}, {"subset_seeds": [0, 3]}):
        one, other = plan(load_suite(file), **asked).specs, grid().suite(tmp_path, Selection(**asked))[0].specs
        assert {spec.trial_id for spec in one} == {spec.trial_id for spec in other} and len(one) == len(other)


def test_every_field_belongs_to_one_thing():
    keys = [
        {field.name for field in dataclasses.fields(DataSpec)},
        {field.name for field in dataclasses.fields(Recipe)} - {"name"},
        {name for label in METHODS for name in resolve(label).params},
        {field.name for field in dataclasses.fields(SuiteFile)},
    ]
    assert sum(map(len, keys)) == len(set().union(*keys))
    for name in ("plan", "run"):
        command = get_command(app).commands[name]
        own = {option for parameter in command.params for option in parameter.opts}
        fields = [f"--{key.replace('_', '-')}" for key in set().union(*keys)]
        as_options = {field for field in fields if _fields_spelled_out([field, "1"], own) == [field, "1"]}
        alike = {
            "--dataset",
            "--methods",
            "--recipe",
            "--seeds",
            "--epochs",
            "--precision",
            "--set",
            "--plugins",
            "--data",
            "--subset-seed",
            "--subset-seeds",
        }
        assert as_options <= alike, "what is left has no other spelling than --set, or is an option of that meaning"
    assert set(RECIPE_OF) <= set(DATASETS) and set(RECIPE_OF.values()) <= set(RECIPES)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], "name a suite (see `list suites`), or define a grid with --dataset, --methods and --name"),
        (["quick", "--cb-beta", "0.9"], "--cb-beta defines a grid of your own, but quick is a suite: give one or the other"),
        (["quick", "--sedses", "3"], "unknown option '--sedses': did you mean '--seeds'?"),
        (["--dataset", "digits", "--name", "mine"], "a grid needs --methods: see `list methods`"),
        (["--methods", "softmax", "--name", "mine"], "a grid needs --dataset: see `list datasets`"),
        (["--dataset", "digits", "--methods", "softmax"], "a grid needs a name, which is also the name of its run folder"),
        ([*MINE[:-1], "a/b"], "--name must be a simple name without a path, such as mine; got 'a/b'"),
        ([*MINE[:-1], "quick"], "search_spaces/quick.yaml, which comes with the benchmark, is already called quick"),
        ([*MINE, "--cb-betta", "0.9"], "unknown option '--cb-betta': did you mean '--cb-beta'?"),
        ([*MINE, "--imbalence-factor", "10"], "unknown option '--imbalence-factor': did you mean '--imbalance-factor'?"),
        ([*MINE, "--sedses", "3"], "unknown option '--sedses': did you mean '--seeds'?"),
        ([*MINE, "--zzzz", "10"], "unknown option '--zzzz': see --help for the options, and `list recipes --json`"),
        ([*MINE, "--set", "cb_betta=0.9"], "--set: unknown field 'cb_betta': did you mean 'cb_beta'?"),
        ([*MINE, "--set", "lr=1,"], "--set lr needs one value or several, such as A or A,B; got '1,'"),
        ([*MINE, "--lr", "[1"], "--lr needs one value or several, such as A or A,B; got '[1'"),
        ([*MINE, "--lr", "1", "--lr", "2"], "lr is given twice: give all values in one option, such as --lr A,B"),
        ([*MINE, "--lr", "1", "--set", "lr=2"], "lr is given twice: give all values in one option, such as --set lr=A,B"),
        (
            [*MINE, "--set", "subset_seeds=2", "--subset-seeds", "3"],
            "--set subset_seeds and --subset-seeds both set subset_seeds: give only one of the two",
        ),
        ([*MINE, "--set", "epochs=2", "--epochs", "3"], "--set epochs and --epochs both set epochs: give only one of the two"),
        (
            ["--methods", "softmax", *MINE[:2], *MINE[4:], "--gamma", "2"],
            "set gives gamma, but none of the suite's methods has that parameter",
        ),
        (["--dataset", "digts", *MINE[2:]], "--dataset: unknown dataset 'digts': did you mean 'digits'"),
        (
            ["--dataset", "digits,cifar10", *MINE[2:]],
            "there is no default recipe for digits and cifar10: choose one with --recipe",
        ),
        ([*MINE, "--seed", "1", "--seeds", "2"], "--seed selects one seed and --seeds several: give only one of the two"),
        ([*MINE, "--save-suite", "mine.txt"], "--save-suite must name a YAML file, such as mine.yaml; got 'mine.txt'"),
        ([*MINE, "--save-suite", "quick.yaml"], "--save-suite: search_spaces/quick.yaml, which comes with the benchmark"),
        ([*MINE, "--only", "softmax", "--save-suite", "mine.yaml"], "remove --only, --where and --limit"),
    ],
)
def test_bad_input_is_one_sentence(command, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as refused:
        app(["plan", "--out", str(tmp_path), *command], standalone_mode=False)
    assert words in str(refused.value)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--seds", "--dry-run"])
def test_an_unknown_option_is_refused_by_the_command_line(flag):
    done = cli("plan", *MINE, flag)
    assert done.returncode == 2 and f"No such option: {flag}" in done.stderr


def test_fields_are_told_from_options():
    assert _fields_spelled_out(["--lr=0.1", "--", "--lr", "1"], {"--set"}) == ["--set", "--lr=0.1", "--", "--lr", "1"]
    assert _fields_spelled_out(["--set", "a=1", "--verbose", "--n-max", "5"], {"--set", "--verbose"})[-2:] == [
        "--set",
        "--n-max=5",
    ]
    assert _fields_spelled_out(["--n-max", "--verbose"], {"--verbose"}) == ["--n-max", "--verbose"], "it lacks its value"


def test_another_file_is_not_overwritten(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("about: another\n")
    with pytest.raises(UserError, match="already exists with different content"):
        grid(save_suite=file).suite(tmp_path, Selection())
    assert file.read_text() == "about: another\n"


def test_a_grid_is_run_and_kept_with_its_trials(call, tmp_path):
    """As a user begins: without a file, then with more seeds, then with a file of the same name but other content."""
    small = ["--n-max", "30", "--validation", "10", "--epochs", "1", "--cb-beta", "0.9", "--backend", "inline"]
    command = ["run", *MINE[:2], "--methods", "softmax,cb_softmax", *MINE[4:], *small, "--out", str(tmp_path)]
    code, out, err = call(*command, "--seed", "1", "--save-suite", str(tmp_path / "kept.yaml"))
    assert code == 0 and f"`bench.py run {tmp_path / 'kept.yaml'}` runs it" in out, err
    assert "All methods" in out and "cb_softmax[cb_beta=0.9]" in out
    code, out, err = call(*command, "--seeds", "2")
    assert code == 0 and "2 trials to run" in out, out + err
    assert len(Store(tmp_path / "mine").statuses()) == 4
    _, out, err = call("plan", str(tmp_path / "mine" / "mine.yaml"), "--out", str(tmp_path))
    assert "4 trials, 4 done, 0 failed, 0 left" in out, out + err
    other = tmp_path / "mine.yaml"
    other.write_text((tmp_path / "mine" / "mine.yaml").read_text().replace("0.9", "0.99"))
    code, _, err = call("plan", str(other), "--out", str(tmp_path))
    assert code == 2 and "rename the file" in err


def test_a_grid_that_another_process_runs_keeps_its_file(tmp_path, capsys):
    execution = Execution(backend="inline", out=tmp_path)
    first, selection = grid("imbalance_factor=10").suite(tmp_path, Selection(epochs=1))
    run_plan(plan(first, selection=selection), execution)
    file = tmp_path / "mine" / "mine.yaml"
    other, _ = grid("imbalance_factor=20", methods="focal").suite(tmp_path, Selection(epochs=1))
    before = file.read_bytes()
    with Store(tmp_path / "mine").lock(), pytest.raises(UserError, match="another process is writing"):
        run_plan(plan(other), execution)
    assert file.read_bytes() == before
    capsys.readouterr()
    store = run_plan(plan(other), execution)
    assert f"mine: {file} now has this grid; the trials of the earlier one stay in the run" in capsys.readouterr().out
    assert yaml.safe_load(file.read_text())["methods"] == other.grid["methods"]
    assert set(store.frame()["method"]) == {"softmax", "focal"}


def test_a_grid_file_that_was_not_written_to_its_end_is_written_again_and_a_finished_run_needs_no_lock(tmp_path):
    execution = Execution(backend="inline", out=tmp_path)
    suite, selection = grid("imbalance_factor=10").suite(tmp_path, Selection(epochs=1))
    run_plan(plan(suite, selection=selection), execution)
    with Store(tmp_path / "mine").lock():
        run_plan(plan(suite, selection=selection), execution)
    for content in ("", "methods: [", "- a"):
        suite.file.write_text(content)
        run_plan(plan(suite, selection=selection), execution)
        assert yaml.safe_load(suite.file.read_text()) == suite.grid
