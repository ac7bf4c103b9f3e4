"""The command line: what it prints, and how it rejects bad input."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import subprocess
import sys

import pandas as pd
import pytest
import typer

import lt_core
from bench.cli import app as door
from bench.report.plots import PLOTS
from bench.report.tables import TABLES
from bench.running.progress import ProgressLine
from bench.shipped import SPACES_DIR, SUITES_DIR
from lt_core.data.sets import DATASETS
from lt_core.errors import UserError
from lt_core.methods import METHODS
from lt_core.metrics import METRICS
from lt_core.models import MODELS
from lt_core.pretrained import BACKBONES
from lt_core.pretrained.registry import OTHERS
from lt_core.recipes import RECIPES
from tests.bench.harness import ROOT, cli, command
from tests.bench.synthetic import trial

QUICK = str(ROOT / "results" / "quick")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rn"], "No such command 'rn'"),
        (["run", "quik"], "unknown suite 'quik': did you mean 'quick'"),
        (["run", "quick", "--sedes", "3"], "No such option: --sedes"),
        (["run", "quick", "--only", "ldam", "--only", "focal"], "--only was given 2 times: give it once, as --only GLOB"),
        (["run", "quick", "--out", ""], "--out has an empty value: give it a value, or omit the option"),
        (["export", "--run", "quick", "--run="], "--run has an empty value"),
        (
            ["report", "results/quick", "--out", "page.txt"],
            "--out page.txt: a report is an HTML page, so the file name must end in .html",
        ),
        (["plan", "quick", "--where", "n_max=9", "--seeds=2", "--where=n_max=8"], "--where was given 2 times: give it once, as"),
        (["data", "show", "mine", "--data", "here", "--data", "there"], "--data was given 2 times: give it once, as --data DIR"),
        (["run", "quick", "--seeds", "many"], "--seeds must be a number of seeds"),
        (["run", "quick", "--precision", "half"], "precision must be in auto | bfloat16 | float32, got 'half'"),
        (["plot", "per_clas", "--run", "x"], "unknown plot 'per_clas': did you mean 'per_class'"),
        (["run", "quick", "--epochs", "0"], "Invalid value for '--epochs'"),
        (["run", "quick", "--backend", "inlin"], "unknown backend 'inlin': did you mean 'inline'"),
        (["run", "quick", "--only", "x*", "--backend", "inline"], "--only 'x*' matches no method of suite quick"),
        (
            ["plan", "quick", "--only", "softmax,nonsense"],
            "--only: 'nonsense' matches no method; the methods are softmax, sigmoid",
        ),
        (
            ["table", "cb", "--run", QUICK, "--only", "softmax,nonsense"],
            "--only: 'nonsense' matches no method of the run",
        ),
        (["claims", "--runs", "nowhere"], "--runs nowhere holds no runs: name a folder"),
        (["verify", QUICK, "--device", "tpu"], "--device must be auto, cpu, cuda, or a numbered GPU"),
        (["tune", "digits_cb", "--study-seed", "5000000000"], "Invalid value for '--study-seed'"),
        (["run", "quick", "--cpus-per-trial", "inf"], "cpus_per_trial must be a finite number, got inf"),
        (["run", "quick", "--gpus-per-trial", "nan"], "gpus_per_trial must be a finite number, got nan"),
        (["run", "quick", "--processes-per-trial", "100000"], "--processes-per-trial 100000 needs a processor for each process"),
        (["status", "x" * 300], f"run '{'x' * 40}…' has a name of 300 letters: names have at most 200"),
        (["plan", "x" * 5000 + ".yaml"], "names have at most 200"),
        (["run", "--dataset", "digits", "--methods", "softmax", "--name", "x" * 300], "names have at most 200"),
        (["run", "quick", "--seeds", "1,1,2"], "--seeds lists 1 more than once: list each seed once"),
        (["run", "mnist", "--backend", "inline", "--data", "/nowhere"], "the data folder /nowhere does not exist"),
        (["run", "quick", "--backend", "inline", "--out", "/dev/null"], "the run folder /dev/null/quick cannot be written"),
        (["run", "quick", "--device", "cuda:7", "--backend", "inline"], "device cuda:7 is not available"),
        (
            ["run", "quick", "--device", "cuda", "--gpus-per-trial", "0"],
            "needs a GPU, but --gpus-per-trial 0 gives a trial none: remove one",
        ),
        (["run"], "name a suite (see `list suites`)"),
        (["plan", "quick", "--limit", "none"], "Invalid value for '--limit'"),
        (["list", "method"], "unknown kind 'method': did you mean 'methods'"),
        (["list", "methods", "zz*"], "no methods match 'zz*'"),
        (["list", "methods", "zz*", "--json"], "no methods match 'zz*'"),
        (
            ["table", "cb", "--run", "quick"],
            "quick has not been run here yet: `bench.py run quick` starts it",
        ),
        (
            ["status", "digits_cb"],
            "digits_cb has not been run here yet: `bench.py tune digits_cb` starts it",
        ),
        (["status", "quick"], "quick has not been run here yet"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_code_2(call, arguments, says):
    code, out, err = call(*arguments)
    assert code == 2
    assert says in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("methods", METHODS),
        ("datasets", [*DATASETS, "<set>_3v5", "<set>_64px"]),
        ("suites", sorted(path.stem for path in SUITES_DIR.glob("*.yaml"))),
        ("spaces", sorted(path.stem for path in SPACES_DIR.glob("*.yaml"))),
        ("models", [*MODELS, *BACKBONES, *OTHERS]),
        ("recipes", RECIPES),
        ("tables", TABLES),
        ("plots", PLOTS),
        ("metrics", METRICS),
    ],
)
def test_a_list_names_all_that_there_is_and_says_of_each_what_it_is(call, what, names):
    code, out, _ = call("list", what)
    assert code == 0
    for name in names:
        assert len(re.findall(rf"^ *{re.escape(name)}:? +\S", out, re.M)) == 1, name
    initial = next(iter(names))[0]
    _, out, _ = call("list", what, f"{initial}*", "--json")
    listed = {item["name"]: item["about"] for item in json.loads(out)}
    assert list(listed) == [name for name in names if name.startswith(initial)] and all(listed.values())


def test_methods_are_listed_with_their_declarations(call):
    _, out, _ = call("list", "methods", "cb_*", "--json")
    listed = json.loads(out)
    assert [m["name"] for m in listed] == ["cb_softmax", "cb_sigmoid", "cb_focal"]
    assert listed[2]["space"] == {"cb_beta": [0.9, 0.99, 0.999, 0.9999], "gamma": [0.5, 1.0, 2.0]}
    assert all({"cite", "neutral", "params", "parameters"} <= m.keys() for m in listed)


def test_a_metric_is_listed_with_its_direction_its_unit_and_what_it_is_about(call):
    _, out, _ = call("list", "metrics")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["error"] == "error rate in %, lower is better"
    assert lines["few"] == "accuracy on few-shot classes in %, higher is better; classes with fewer than 20 training images"
    assert lines["minority_f1"] == "F1 of the smallest class in %, higher is better"
    assert lines["ece"] == "expected calibration error in %, lower is better; on the test set only"
    _, out, _ = call("list", "metrics", "seconds", "--json")
    (seconds,) = json.loads(out)
    assert (seconds["unit"], seconds["lower_is_better"], seconds["test_part_alone"]) == ("", True, False)


def test_plan_counts_and_prices_and_starts_nothing(call, write_suite, tmp_path):
    code, out, _ = call("plan", write_suite())
    assert code == 0
    assert "16 trials, 0 done, 0 failed, 16 left" in out
    assert "digits: 4 methods × 2 imbalances (IF 10, IF 50) × 2 seeds, recipe digits, 4 epochs" in out
    assert "16 by timing a few steps on this machine" in out
    assert "(IF 10, IF 50) × 3 subsets × 2 seeds, recipe" in call("plan", write_suite(), "--subset-seeds", "3")[1]
    _, out, _ = call(
        "plan", "--dataset", "digits", "--imbalance-factor", "10", "--n-max", "50,60", "--methods", "softmax", "--name", "n"
    )
    for_each = "IF 10 with 50 images in the largest class, IF 10 with 60 images in the largest class"
    assert f"digits: 1 method × 2 imbalances ({for_each}) × 3 seeds" in out
    assert not (tmp_path / "results").exists()
    call("run", write_suite(), "--backend", "inline", "--limit", "5")
    code, out, _ = call("plan", write_suite())
    assert "16 trials, 5 done, 0 failed, 11 left" in out
    assert "11 trials estimated from finished trials" in out


def test_run_ends_in_the_table_and_its_files(call, write_suite, tmp_path):
    code, out, _ = call("run", write_suite(), "--backend", "inline", "--only", "softmax")
    assert code == 0
    folder = tmp_path / "results" / "runs" / "tiny"
    for name in ("trials", "per_class", "curves"):
        assert (folder / f"{name}.parquet").is_file()
        assert f"{name}.parquet" in out
    assert "softmax" in out
    assert {p.suffix for p in (folder / "tables").iterdir()} == {".md", ".csv", ".tex", ".json"}
    for form in ("terminal", "md", "csv", "latex", "json"):
        code, out, _ = call("table", "cb", "--run", "tiny", "--format", form)
        assert code == 0
        assert "Softmax" in out
    assert json.loads(out)["cells"]
    code, _, err = call("table", "cb", "--run", "tiny", "--format", "pdf")
    assert (code, "unknown format 'pdf'" in err) == (2, True)
    code, _, err = call("table", "bc", "--run", "tiny")
    assert (code, "unknown table 'bc': did you mean 'cb'" in err) == (2, True)
    code, out, _ = call("status", "tiny")
    assert "4 trials: 4 ok" in out


def test_status_groups_failures_by_cause(call, write_suite):
    suite = write_suite(recipe={"base": "digits", "epochs": 4, "lr": 1e12}, methods=["softmax"], seeds=5)
    call("run", suite, "--backend", "inline")
    _, out, _ = call("status", "tiny")
    assert "10 diverged" in out
    assert "and " in out and " more" in out
    assert "--retry-failed" in out


def test_a_damaged_record_stops_a_run_with_one_sentence(call, write_suite, tmp_path):
    call("run", write_suite(), "--backend", "inline", "--limit", "2")
    record = next((tmp_path / "results" / "runs" / "tiny" / "records").glob("*.json"))
    record.write_text("{")
    code, _, err = call("run", write_suite(), "--backend", "inline")
    assert code == 2
    assert f"{record.name} is damaged" in err
    assert record.read_text() == "{"


def test_from_another_process_too(tmp_path):
    done = cli("run", "quik", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: unknown suite 'quik': did you mean 'quick'?\n"


def test_a_job_script_can_tell_whether_trials_failed(call, write_suite, tmp_path):
    """0: all have finished; 3: some failed, now or in an earlier run; 4: all failed."""
    inline = ("--backend", "inline")
    some = write_suite(methods=["softmax", "ldam[scale=1e+38]"], seeds=1)
    assert call("run", some, *inline, "--only", "softmax")[0] == 0
    for attempt in ("first", "again"):
        code, _, err = call("run", some, *inline)
        assert (code, "2 of 4 trials failed: `bench.py status results/runs/tiny`" in err) == (3, True), attempt
    assert call("run", some, *inline, "--only", "softmax")[0] == 0, "what was asked for is finished"
    code, _, err = call("run", some, *inline, "--only", "ldam*")
    assert (code, "2 of 2 trials failed" in err) == (4, True)
    all_of_one = write_suite("broken", methods=["ldam[scale=1e+38]"], seeds=1)
    assert call("run", all_of_one, *inline)[0] == 4
    code, _, err = call("run", write_suite("sound", methods=["softmax"], seeds=1), all_of_one, *inline)
    assert code == 3 and err.count("trials failed") == 1, "one suite of two is not all"


@pytest.mark.parametrize("backend", ["inline", pytest.param("ray", marks=pytest.mark.slow)])
def test_fail_fast_stops_at_the_first_failed_trial(call, write_suite, backend):
    suite = write_suite(methods=["ldam[scale=1e+38]", "softmax"], seeds=3)  # 12 trials, of which the first ones fail
    code, out, err = call("run", suite, "--backend", backend, "--fail-fast")
    assert (code, "the run stops at its first failed trial because of --fail-fast" in err) == (3, True), out + err
    ended = pd.read_parquet("results/runs/tiny/trials.parquet")["status"]
    assert "diverged" in set(ended) and len(ended) < 12
    assert call("run", suite, "--backend", "inline")[0] == 3, "the same command without it goes on"
    assert len(pd.read_parquet("results/runs/tiny/trials.parquet")) == 12


@pytest.mark.parametrize(("factors", "shown"), [((10, 10), "best 60.0 %"), ((10, 50), "last 30.0 %")])
def test_the_progress_line_compares_nothing_across_data(factors, shown):
    """An imbalance factor of 10 is easier than one of 50, whatever the method."""
    results = [trial(seed=i, factor=factor, recalls=[60 - 30 * i] * 10) for i, factor in enumerate(factors)]
    line = ProgressLine([result.spec for result in results], already=0, workers=1, stream=io.StringIO())
    for result in results:
        line.result(result)
    assert shown in line.text()


@pytest.mark.parametrize(
    ("typed", "found"),
    [("ver", ["verify"]), ("run quic", ["quick"]), ("tune digits_cb", ["digits_cb"]), ("run --fa", ["--fail-fast"])],
)
def test_a_shell_completes_commands_options_and_names(typed, found):
    """In the same way as the script that `lt-bench --install-completion` installs."""
    asked = {"_LT_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": f"lt-bench {typed}", "COMP_CWORD": str(1 + typed.count(" "))}
    code = "import sys; sys.argv = ['lt-bench']; from bench.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == found, done.stderr


def test_exit_codes_are_said_where_a_user_looks(call):
    for name in ("run", "tune"):
        code, out, _ = call(name, "--help")
        assert code == 0 and "3: some failed" in out and "4: all failed" in out


def test_every_command_refuses_an_option_given_twice_unless_it_takes_several():
    """A command that does not use `Command` would silently take the last value."""
    groups = [typer.main.get_command(door.app)]
    groups += [one for one in groups[0].commands.values() if hasattr(one, "commands")]
    commands = [one for group in groups for one in group.commands.values() if not hasattr(one, "commands")]
    assert len(commands) == 25
    for one in commands:
        context = one.context_class(one)
        for option in (o for o in one.params if o.param_type_name == "option" and not o.is_flag):
            given = [option.opts[0], "1", option.opts[0], "2"]
            if option.multiple:
                assert one.make_parser(context).parse_args(given)[0][option.name] == ["1", "2"]
            else:
                with pytest.raises(UserError, match="was given 2 times"):
                    one.parse_args(context, given)


def _processor_seconds(arguments: list[str]) -> float:
    """The processor time of a process, which hardly depends on other processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_list_methods_takes_no_longer_than_torch_alone():
    """Most of the time is `import torch`, so it is measured relative to that: 0.85 now, and 1.2 with the garbage collector on."""
    torch, ours = [], []
    for _ in range(3):
        torch.append(_processor_seconds([sys.executable, "-c", "import torch"]))
        ours.append(_processor_seconds(command("list", "methods")))
        if min(ours) < min(torch):
            return
    pytest.fail(f"list methods takes {min(ours):.2f} s of the processor, import torch {min(torch):.2f} s")


def test_without_a_command_help_is_shown_and_the_version_can_be_asked_for():
    shown, asked = cli(), cli("--version")
    assert shown.returncode == asked.returncode == 0
    assert "run " in shown.stdout and "leaderboard" in shown.stdout
    assert asked.stdout == f"lt-bench {lt_core.__version__}\n"
