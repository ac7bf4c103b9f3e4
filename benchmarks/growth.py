"""The cost of commands on a run with many trials: CPU seconds and peak memory of each command, with 2,000 and with 20,000
records.

The records are copies of those of suite quick (ten classes, a validation split, 20 points of a curve), each with another spec: 50
labels × ten imbalance factors × two subsets of the images × as many seeds as necessary. In each copy a few predictions are
changed, so that no two trials are alike. Each command is a process of its own:

records   make the Parquet files from all records, as on another machine; the commands below find them
more      bring them up to date after 100 records have changed
run       run the suite again, with nothing left to run: table, files and report
others    the commands of these names
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from common import machine, parser, peak_gib, print_table, write_json

# This process stays small, because the kernel counts what a child shares with its parent before it starts its own program.
ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "results" / "quick" / "records"
LABELS, FACTORS, DRAWS = 50, (2, 3, 5, 10, 15, 20, 30, 50, 75, 100), 2
OTHER_IMAGES = ("semi_supervised", "generation")  # families that need unlabelled or colour images
COMPACT = "import sys; from bench.records.store import Store; Store(sys.argv[1]).compact()"
CHANGE = "import pathlib, sys; [file.touch() for file in list(pathlib.Path(sys.argv[1], 'records').iterdir())[:100]]; "
CPU_GOAL, MEMORY_GOAL = 10.0, 1.0  # seconds, GiB
_EACH_SEED = LABELS * len(FACTORS) * DRAWS


def fill(trials: int, file: Path) -> None:
    """Write a suite of ``trials`` trials to ``file``, and a record of each to the run next to it."""
    from bench.records.record import encoded
    from bench.suites.suite import load_suite
    from lt_core.methods import METHODS
    from lt_core.result import TrialResult

    quick = dict.fromkeys(spec.method.label for spec in load_suite("quick").specs)
    others = dict.fromkeys(name for name in METHODS if METHODS[name].family not in OTHER_IMAGES)
    data = {"dataset": "digits", "imbalance_factor": list(FACTORS), "n_max": 100, "validation": 20}
    asked = {"about": "copies of records", "recipe": "digits", "data": data, "methods": list(quick | others)[:LABELS]}
    file.write_text(json.dumps({**asked, "subset_seeds": DRAWS, "seeds": trials // _EACH_SEED}))  # YAML includes JSON
    records = file.with_suffix("") / "records"
    records.mkdir(parents=True)
    originals = [json.loads(path.read_text()) for path in sorted(RECORDS.glob("*.json"))]
    for number, spec in enumerate(load_suite(file).specs):
        record = {**originals[number % len(originals)], "trial_id": spec.trial_id, "spec": spec.to_dict()}
        for key in ("confusion", "validation_confusion"):
            record[key] = _moved(record[key], random.Random(number))
        (records / f"{spec.trial_id}.json").write_bytes(encoded(TrialResult.from_record(record)))


def _moved(confusion: list[list[int]], moves: random.Random) -> list[list[int]]:
    """``confusion`` after moving up to three correctly predicted images of each class to the next class."""
    matrix = [list(row) for row in confusion]
    for place, row in enumerate(matrix):
        moved = min(moves.randrange(4), row[place])
        row[place] -= moved
        row[(place + 1) % len(row)] += moved
    return matrix


def commands(file: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, command) of everything that is measured, in order."""
    bench, out, run = str(ROOT / "bench.py"), str(file.parent), str(file.with_suffix(""))
    yield "records", ["-c", COMPACT, run]
    yield "more", ["-c", CHANGE + COMPACT, run]
    yield "status", [bench, "status", run]
    yield "plan", [bench, "plan", str(file), "--out", out]
    yield "table", [bench, "table", "cb", "--run", run]
    yield "compare", [bench, "compare", run]
    yield "leaderboard", [bench, "leaderboard", "--run", run]
    yield "report", [bench, "report", run]
    yield "export", [bench, "export", "--run", run, "--out", f"{out}/leaderboard"]
    yield "run", [bench, "run", str(file), "--out", out, "--backend", "inline"]


def measured(words: list[str]) -> dict[str, float]:
    """CPU and wall seconds of a process, and its peak resident memory in GiB."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{said.read().decode()}\n{' '.join(words)} failed")
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "gib": peak_gib(usage)}


def main() -> None:
    options = arguments()
    if options.fill:
        fill(options.records[0], options.fill)
        return
    found: dict[int, dict[str, dict[str, float]]] = {}
    for trials in options.records:
        with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
            file = Path(scratch) / "growth.yaml"
            measured([__file__, "--records", str(trials), "--fill", str(file)])
            found[trials] = {name: measured(words) for name, words in commands(file)}
    rows = [
        [name, *(cell for of in found.values() for cell in (f"{of[name]['cpu']:.1f}", f"{of[name]['gib']:.2f}"))]
        for name in next(iter(found.values()))
    ]
    about = {**machine("cpu"), "goal": {"cpu": CPU_GOAL, "gib": MEMORY_GOAL}}
    heads = [f"{trials:,} {what}" for trials in found for what in ("CPU s", "GiB")]
    print_table(f"commands on a run of many records ({about['device_name']})", ["", *heads], rows)
    write_json(options.json, {"commands": {str(trials): of for trials, of in found.items()}, **about})
    over = [
        f"{name} at {trials:,} records"
        for trials, of in found.items()
        for name, figures in of.items()
        if figures["cpu"] > CPU_GOAL or figures["gib"] > MEMORY_GOAL
    ]
    if over:
        sys.exit(f"more than {CPU_GOAL:g} s of CPU or {MEMORY_GOAL:g} GiB: {', '.join(over)}")


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument(
        "--records", type=int, nargs="+", default=[2000, 20_000], metavar="N", help="numbers of records (default 2000 20000)"
    )
    made.add_argument(
        "--folder", type=Path, metavar="DIR", help="folder for the records, 7 kB each [default: a temporary folder]"
    )
    made.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    options = made.parse_args()
    if any(trials < 1 or trials % _EACH_SEED for trials in options.records):
        made.error(f"--records must be multiples of {_EACH_SEED:,}: {LABELS} labels, {len(FACTORS)} factors, {DRAWS} subsets")
    return options


if __name__ == "__main__":
    main()
