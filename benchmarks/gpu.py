"""All measurements that need a GPU, in half an hour. The most useful come first, in case time runs out.

You can stop it at any time: finished measurements are kept, and the same command continues.

    python benchmarks/gpu.py --data DIR                     # half an hour
    python benchmarks/gpu.py --minutes 10 --only speed,cells
    python benchmarks/gpu.py --dry                          # the same steps on a CPU, in a minute, without figures

tests     the tests that need a GPU
methods   every method on digits: does it finish, are two runs identical, and is a recorded run identical to one without recording
speed     images per second: operation by operation, recorded (`lt_core.training.replay`), and by the usual recipe
together  images per second of 1, 2, 4, … processes at once, without NVIDIA's MPS and, where it is installed, with it
cells     trials of cifar_lt, then of cb_table2, as many at once as `together` found best; each leaves a record of `bench.py run`
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = ("tests", "methods", "speed", "together", "cells")
_LIMITS = {"tests": 240.0, "methods": 240.0, "speed": 180.0, "together": 240.0}  # seconds; the cells get the rest


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--minutes", type=float, default=30.0, help="time limit for everything (default 30)")
    asked.add_argument("--only", default=",".join(PARTS), metavar="PARTS", help="parts to run, in this order")
    asked.add_argument("--out", type=Path, default=Path("results/runs/gpu"), metavar="DIR", help="folder for the results")
    asked.add_argument("--suites", nargs="+", default=["cifar_lt", "cb_table2"], help="suites whose trials are run, in order")
    asked.add_argument("--data", help="folder with image sets")
    asked.add_argument("--dry", action="store_true", help="run a small version on a CPU")
    options = asked.parse_args()
    end = time.monotonic() + 60 * options.minutes
    options.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for part in options.only.split(","):
        left = end - time.monotonic()
        if left < 5:
            failed.append(f"{part} (no time left)")
            continue
        print(f"── {part}, {left:.0f} s left", flush=True)
        begun = time.monotonic()
        reason = run(command(part, options, left), min(left, _LIMITS.get(part, left)))
        print(f"── {part}: {reason or 'ok'}, {time.monotonic() - begun:.0f} s", flush=True)
        failed += [f"{part} ({reason})"] if reason else []
    sys.exit(f"not finished: {', '.join(failed)}" if failed else 0)


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
