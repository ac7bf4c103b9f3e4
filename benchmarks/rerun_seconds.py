"""How long a finished run would take on this machine: random trials are run again, several at a time, one thread each.

    $ python benchmarks/rerun_seconds.py results/equal_budget_cifar100_if10 --data ~/data --sample 100

The estimate is the number of trials times the mean seconds of the sample, divided by the number of workers; the interval is a
bootstrap over the sample. The start of a process and the choice of settings are not in it.
"""

from __future__ import annotations

import random
import statistics
import time
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from common import busy, machine, parser, print_table, refuse_busy, write_json

_RESAMPLES = 2000


def main() -> None:
    options = arguments()
    from bench.records.store import Store
    from bench.running.verify import finished

    specs = [trial.spec for trial in finished(Store.open(options.run))]
    drawn = random.Random(options.seed).sample(specs, min(options.sample, len(specs)))
    about = {**machine("cpu"), "busy_before": busy()}
    refuse_busy("before this began,", about["busy_before"])
    with ProcessPoolExecutor(options.workers) as pool:
        list(pool.map(partial(seconds, options.data), drawn[: options.workers]))  # the first trial of a process imports and reads
        start = time.perf_counter()
        measured = list(pool.map(partial(seconds, options.data), drawn))
        wall = time.perf_counter() - start
    hours = len(specs) / options.workers / 3600
    again = random.Random(0)
    means = sorted(statistics.mean(again.choices(measured, k=len(measured))) for _ in range(_RESAMPLES))
    low, high = means[int(0.025 * _RESAMPLES)], means[int(0.975 * _RESAMPLES)]
    row = [
        str(len(specs)), str(len(drawn)), f"{wall:.0f}", f"{statistics.mean(measured):.2f}",
        f"{hours * statistics.mean(measured):.2f}", f"{hours * low:.2f}..{hours * high:.2f}",
    ]  # fmt: skip
    columns = ["run", "trials", "sample", "wall s", "s a trial", f"hours with {options.workers} at a time", "95 % interval"]
    print_table(f"Trials run again on {about['device_name']}", columns, [[options.run.name, *row]])
    write_json(options.json, {**about, "run": options.run.name, "seed": options.seed, "trials": len(specs), "seconds": measured})


def seconds(data: str | None, spec: Any) -> float:
    """Wall seconds of one trial, from its images to its result."""
    from lt_core.training import Runtime, run_trial

    start = time.perf_counter()
    result = run_trial(spec, Runtime(device="cpu", data_dir=data))
    assert result.status == "ok", result.cause
    return time.perf_counter() - start


def arguments() -> Namespace:
    options = parser(__doc__)
    options.add_argument("run", type=Path, help="a finished run, by its folder")
    options.add_argument("--data", metavar="DIR", help="folder with image sets")
    options.add_argument("--sample", type=int, default=100, metavar="N", help="trials to run again [default: 100]")
    options.add_argument("--seed", type=int, default=0, metavar="SEED", help="chooses the trials [default: 0]")
    options.add_argument("--workers", type=int, default=2, metavar="N", help="trials at a time [default: 2]")
    return options.parse_args()


if __name__ == "__main__":
    main()
