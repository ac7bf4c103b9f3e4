"""Trials of a suite on one GPU, several processes at once, until the time is up; what is under way is stored and goes on with the
same command. Part of `gpu.py`.

The first trial has the card to itself, so that its whole wall time can be told. Each process is a `bench.py run` of one trial
by the inline backend, into a folder of its own; at the end the folders are merged into DIR/SUITE.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import ExitStack
from pathlib import Path

from gpu_together import mps

ROOT = Path(__file__).resolve().parent.parent


def best_number(file: Path) -> tuple[int, bool]:
    """How many trials at once `gpu_together.py` found best, and whether under MPS; four without it, where it was not run."""
    if not file.exists():
        return 4, False
    rates = json.loads(file.read_text())["images_per_second"]
    return max(((float(r), int(n), name == "MPS") for name, found in rates.items() for n, r in found.items()))[1:]


def cells(suite: str) -> list[list[str]]:
    """Options of `run` that name one trial each: one data set after the other, all methods of a seed before the next seed."""
    from bench.suites.suite import load_suite

    trials = load_suite(suite).specs
    order = list(dict.fromkeys(t.data.dataset for t in trials))
    trials = sorted(trials, key=lambda t: (order.index(t.data.dataset), t.seed))
    return [["--only", f"={t.method.label}", "--where", f"dataset={t.data.dataset}", "--seeds", f"={t.seed}"] for t in trials]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--suite", default="cifar_lt")
    asked.add_argument("--where", default="", metavar="DATASET", help="only on this data set")
    asked.add_argument("--seconds", type=float, default=600.0, help="when all must have ended")
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--data")
    asked.add_argument("--dry", action="store_true", help="on a CPU, one epoch, four trials")
    asked.add_argument("--processes", type=int, help="at once, in place of what `together` found best")
    options = asked.parse_args()
    end = time.monotonic() + options.seconds
    options.out.mkdir(parents=True, exist_ok=True)
    number, shared = best_number(options.out / "together.json")
    number = options.processes or number
    extra = ["--device", "cpu", "--epochs", "1"] if options.dry else ["--device", "cuda"]
    extra += ["--data", options.data] if options.data else []
    waiting = [c for c in cells(options.suite) if not options.where or f"dataset={options.where}" in c]
    waiting = waiting[:4] if options.dry else waiting
    print(f"{len(waiting)} trials of {options.suite}, {number} at once{' under MPS' if shared else ''}", flush=True)
    running: dict[int, tuple[subprocess.Popen[bytes], float, list[str]]] = {}
    alone = True
    with ExitStack() as stack:
        if shared:
            stack.enter_context(mps())
        while (waiting or running) and time.monotonic() < end - 6:
            while waiting and len(running) < (1 if alone else number):
                place = next(i for i in range(number) if i not in running)
                cell = waiting.pop(0)
                running[place] = started(options.suite, cell, [*extra, "--out", str(options.out / f"part{place}")])
            time.sleep(0.2)
            for place, (process, begun, cell) in list(running.items()):
                if process.poll() is not None:
                    del running[place]
                    took = f"{time.monotonic() - begun:.1f} s{' alone' if alone else ''}"
                    print(f"{' '.join(cell)}: code {process.returncode}, {took}", flush=True)
                    alone = False
                    keep(options.out, Path(options.suite).stem)
        for process, *_ in running.values():
            process.send_signal(signal.SIGINT)  # it stores its state
        for process, *_ in running.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
    keep(options.out, Path(options.suite).stem)
    done = len(list(options.out.glob(f"part*/{Path(options.suite).stem}/records/*.json")))
    print(f"{done} records", flush=True)


def started(suite: str, cell: list[str], extra: list[str]) -> tuple[subprocess.Popen[bytes], float, list[str]]:
    """`bench.py run` of one trial, in a process of its own."""
    words = [sys.executable, "bench.py", "run", suite, "--backend", "inline", "--checkpoint-every", "20", *cell, *extra]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True), time.monotonic(), cell


def keep(out: Path, suite: str) -> None:
    """All records in one file, for whoever carries them home."""
    beside = out / "records.tar.gz.new"
    with tarfile.open(beside, "w:gz") as file:
        for record in sorted(out.glob(f"part*/{suite}/records/*.json")):
            file.add(record, arcname=f"{suite}/records/{record.name}")
    shutil.move(beside, out / "records.tar.gz")


if __name__ == "__main__":
    main()
