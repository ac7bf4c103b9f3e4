"""Trials of suites on one GPU, in several processes at once, until the time is up. Running trials are then checkpointed, and the
same command continues with them. Part of `gpu.py`.

The first trial has the card to itself, so that its wall time can be measured. Each process is a `bench.py run` of one trial with
the inline backend, into a folder of its own below DIR/cells; DIR/records.tar.gz has the records of all trials that have ended.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gpu_together import mps

from bench.suites.suite import load_suite
from lt_core.spec import TrialSpec
from lt_core.whole_files import replacing

ROOT = Path(__file__).resolve().parent.parent


def best_number(file: Path) -> tuple[int, bool]:
    """How many trials at once `gpu_together.py` found best, and whether with MPS. If it was not run: four, without MPS."""
    if not file.exists():
        return 4, False
    rates = json.loads(file.read_text())["images_per_second"]
    _, number, shared = max((rate, int(n), name == "MPS") for name, found in rates.items() for n, rate in found.items())
    return number, shared


@dataclass(frozen=True)
class Cells:
    """The trials of ``suite``, and where each of them is stored."""

    suite: str
    out: Path
    options: list[str]  # further options of `run`

    def folder(self, spec: TrialSpec) -> Path:
        return self.out / "cells" / spec.trial_id

    def record(self, spec: TrialSpec) -> Path:
        return self.folder(spec) / Path(self.suite).stem / "records" / f"{spec.trial_id}.json"

    def ordered(self, dataset: str) -> list[TrialSpec]:
        """The trials, one data set after the other, and all methods of a seed before the next seed; only those on ``dataset``, if
        it is not empty.
        """
        trials = load_suite(self.suite).specs
        order = list(dict.fromkeys(t.data.dataset for t in trials))
        wanted = [t for t in trials if dataset in ("", t.data.dataset)]
        return sorted(wanted, key=lambda t: (order.index(t.data.dataset), t.seed))

    def waiting(self, dataset: str) -> list[Cell]:
        """The trials that have no record yet, in the same order."""
        return [Cell(self, spec) for spec in self.ordered(dataset) if not self.record(spec).exists()]

    def start(self, spec: TrialSpec) -> subprocess.Popen[bytes]:
        """Start `bench.py run` for one trial, in a process of its own."""
        words = [sys.executable, "bench.py", "run", self.suite, "--backend", "inline", "--checkpoint-every", "20"]
        chosen = [word for key, value in selecting(spec).items() for word in (f"--{key}", value)]
        words += [*chosen, "--out", str(self.folder(spec)), *self.options]
        return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)


def selecting(spec: TrialSpec) -> dict[str, str]:
    """Options of `run`, and their values, that select this trial of a suite and no other."""
    data = spec.data
    where = ",".join(f"{key}={getattr(data, key)}" for key in ("dataset", "imbalance_type", "imbalance_factor", "subset_seed"))
    return {"only": f"={spec.method.label}", "where": where, "seeds": f"={spec.seed}"}


@dataclass(frozen=True)
class Cell:
    """A trial of one of the suites."""

    cells: Cells
    spec: TrialSpec

    def __str__(self) -> str:
        data, method = self.spec.data, self.spec.method.label
        return f"{Path(self.cells.suite).stem}: {data.dataset} IF {data.imbalance_factor:g} {method} seed {self.spec.seed}"

    def start(self) -> subprocess.Popen[bytes]:
        return self.cells.start(self.spec)


def keep(out: Path) -> int:
    """Put all records into one archive, which can be copied from the machine, and return how many there are."""
    records = sorted(out.glob("cells/*/*/records/*.json"))
    with replacing(out / "records.tar.gz") as beside, tarfile.open(beside, "w:gz") as file:
        for record in records:
            file.add(record, arcname="/".join(record.parts[-3:]))
    return len(records)


def work_off(out: Path, waiting: list[Cell], number: int, end: float) -> None:
    """Run the trials ``waiting``, ``number`` at once but the first one alone, until the time ``end``; then stop those that are
    still running, which leave a checkpoint.
    """
    running: list[tuple[Cell, subprocess.Popen[bytes], float]] = []
    alone = number > 1 and keep(out) == 0
    while (waiting or running) and time.monotonic() < end:
        while waiting and len(running) < (1 if alone else number):
            cell = waiting.pop(0)
            running.append((cell, cell.start(), time.monotonic()))
        time.sleep(0.2)
        for one in list(running):
            cell, process, begun = one
            if process.poll() is not None:
                running.remove(one)
                took = f"{time.monotonic() - begun:.1f} s{' alone' if alone else ''}"
                print(f"{cell}: code {process.returncode}, {took}", flush=True)
                alone = False
                keep(out)
    for _, process, _ in running:
        process.send_signal(signal.SIGINT)
    for _, process, _ in running:
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--suites", nargs="+", default=["cifar_lt"], help="suites to run, in order")
    asked.add_argument("--where", default="", metavar="DATASET", help="run only trials on this data set")
    asked.add_argument("--seconds", type=float, default=600.0, help="time limit for everything (default 600)")
    asked.add_argument("--out", type=Path, required=True, help="folder for the results")
    asked.add_argument("--data", help="folder with image sets")
    asked.add_argument("--dry", action="store_true", help="run four trials on a CPU")
    asked.add_argument("--processes", type=int, help="number of trials at once [default: what `together` found best]")
    asked.add_argument("--mps", action="store_true", help="use MPS, whatever `together` found best")
    options = asked.parse_args()
    end = time.monotonic() + options.seconds - 8
    options.out.mkdir(parents=True, exist_ok=True)
    number, shared = best_number(options.out / "together.json")
    number, shared = options.processes or number, shared or options.mps
    device = ["--device", "cpu" if options.dry else "cuda"]
    told = [*device, *(["--data", options.data] if options.data else [])]
    waiting = [cell for suite in options.suites for cell in Cells(suite, options.out, told).waiting(options.where)]
    waiting = waiting[:4] if options.dry else waiting
    print(f"{len(waiting)} trials of {', '.join(options.suites)}, {number} at once{' under MPS' if shared else ''}", flush=True)
    with ExitStack() as stack:
        if shared:
            stack.enter_context(mps())
        work_off(options.out, waiting, number, end)
    print(f"{keep(options.out)} records", flush=True)


if __name__ == "__main__":
    main()
