"""All measurements that need a GPU, in half an hour. The most useful come first, in case time runs out.

You can stop it at any time, and the same command continues: a part whose file in the folder of results is complete is not
measured again (remove the file for that), nor is a method that was checked, and trials go on from their checkpoints.

    python benchmarks/gpu.py --data DIR                     # half an hour
    python benchmarks/gpu.py --minutes 10 --only speed,cells
    python benchmarks/gpu.py --dry                          # the same steps on a CPU, in a minute, without figures

tests     the tests that need a GPU
speed     images per second: operation by operation, recorded (`lt_core.training.replay`), and by the usual recipe
methods   every method on digits: does it finish, are two runs identical, and is a recorded run identical to one without recording
together  images per second of 1, 2, 4, … processes at once, without NVIDIA's MPS and, where it is installed, with it
cells     trials of cifar_lt, crest_fold and cb_table2, in this order, as many at once as `together` found best; each leaves a
          record of `bench.py run`
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from common import measured_before, write_json

HERE = Path(__file__).resolve().parent
PARTS = ("tests", "speed", "methods", "together", "cells")
SUITES = ("cifar_lt", "crest_fold", "cb_table2")
_LIMITS = {"tests": 240.0, "speed": 180.0, "methods": 240.0, "together": 240.0}  # seconds; the cells get the rest


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--minutes", type=float, default=30.0, help="time limit for everything (default 30)")
    asked.add_argument("--only", default=",".join(PARTS), metavar="PARTS", help="parts to run, in this order")
    asked.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for results [default: results/runs/gpu/<card>, or gpu_dry]"
    )
    asked.add_argument("--suites", nargs="+", default=SUITES, help="suites whose trials are run, in order")
    asked.add_argument("--data", help="folder with image sets")
    asked.add_argument("--dry", action="store_true", help="run a small version on a CPU")
    options = asked.parse_args()
    if unknown := set(options.only.split(",")) - set(PARTS):
        asked.error(f"--only: there is no part {min(unknown)}: choose from {', '.join(PARTS)}")
    name = "" if options.dry else card()
    if not (options.dry or name):
        asked.error("torch finds no GPU on this machine: use --dry for the same steps on a CPU, in a minute and without figures")
    options.out = (options.out or Path("results/runs", f"gpu/{folder_of(name)}" if name else "gpu_dry")).resolve()
    end = time.monotonic() + 60 * options.minutes
    options.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for part in options.only.split(","):
        if measured_before(file := options.out / f"{part}.json", "cpu" if options.dry else "cuda").get("complete"):
            print(f"── {part}: measured before, see {file}", flush=True)
            continue
        left = end - time.monotonic()
        if left < 5:
            failed.append(f"{part} (no time left)")
            continue
        print(f"── {part}, {left:.0f} s left", flush=True)
        begun = time.monotonic()
        reason = run(command(part, options, left), min(left, _LIMITS.get(part, left)))
        if part == "tests" and not reason:
            write_json(file, {"device": "cpu" if options.dry else "cuda", "complete": True})
        print(f"── {part}: {reason or 'ok'}, {time.monotonic() - begun:.0f} s", flush=True)
        failed += [f"{part} ({reason})"] if reason else []
    sys.exit(f"not finished: {', '.join(failed)}" if failed else 0)


def card() -> str:
    """The name of this machine's GPU; empty if it has none. A process of its own asks, since it then holds GPU memory."""
    ask = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    return subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True).stdout.strip()


def folder_of(name: str) -> str:
    """A folder of its own for each kind of card, so that figures of two are never mixed: ``nvidia-h100-80gb-hbm3``."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def command(part: str, options: argparse.Namespace, left: float) -> list[str]:
    """The command line of ``part``."""
    dry = ["--dry"] if options.dry else []
    if part == "tests":
        return [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/lt_core/test_gpu.py"]
    if part == "cells":
        data = ["--data", options.data] if options.data else []
        script = ["gpu_cells.py", "--suites", *options.suites, "--seconds", f"{left - 5:.0f}", "--out", str(options.out), *data]
        return [sys.executable, str(HERE / script[0]), *script[1:], *dry]
    script = {"methods": "gpu_methods.py", "speed": "gpu_speed.py", "together": "gpu_together.py"}[part]
    return [sys.executable, str(HERE / script), "--json", str(options.out / f"{part}.json"), *dry]


def run(words: list[str], limit: float) -> str:
    """Run a command, and return why it failed, or an empty string."""
    try:
        code = subprocess.run(words, cwd=HERE.parent, timeout=limit).returncode
    except subprocess.TimeoutExpired:
        return f"stopped after {limit:.0f} s"
    return f"exit code {code}" if code else ""


if __name__ == "__main__":
    main()
