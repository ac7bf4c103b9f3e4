"""How many trials per second the driver can hand out and store, measured with trials that do nothing, on a Ray with more CPUs
than the machine has.

Ray is told that it has 64 CPUs. Each worker is a process, so a trial takes as many CPUs as leave room for ``--workers`` at a
time. Workers return the record of a real trial at once, and do not import torch. Everything else is as in `bench.py run`: plan,
Ray Tune, records on disk. The driver's own time per trial is the wall time without the time that it waits for workers
(`ray.wait`): it computes, writes the record, and calls Ray's daemons. The inverse is the rate that it could keep up with, on any
number of nodes.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import busy, busy_note, machine, parser, print_table, write_json

if TYPE_CHECKING:
    from lt_core.spec import TrialSpec

ROOT = Path(__file__).resolve().parent.parent
CPUS = 64
FACTORS = (2, 3, 5, 10, 15, 20, 30, 50, 75, 100)


def stand_in(record: dict[str, Any], specs: Sequence[TrialSpec]) -> type:
    """The trainable that a worker runs instead of trials. It returns ``record`` for the one of ``specs`` that it is given."""
    ids = {json.dumps(spec.to_dict()): spec.trial_id for spec in specs}
    from ray import tune

    class Nothing(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.spec = json.loads(new_config["job"])["trial"]["spec"]
            return True

        def step(self) -> dict[str, Any]:
            return {"done": True, "record": {**record, "spec": self.spec, "trial_id": ids[json.dumps(self.spec)]}}

    return Nothing


def main() -> None:
    options = arguments()
    import ray

    from bench.records.store import Store
    from bench.running.backends import ray_tune
    from bench.running.driver import execute
    from bench.suites.planning import plan
    from bench.suites.suite import parse_suite
    from lt_core.training.runtime import Runtime

    record = json.loads(min((ROOT / "results" / "quick" / "records").glob("*.json")).read_text())
    data = {"dataset": "digits", "imbalance_factor": list(FACTORS), "n_max": 100, "validation": 20}
    seeds = -(-options.trials // len(FACTORS))
    asked = {"about": "nothing", "recipe": "digits", "data": data, "methods": "softmax", "seeds": seeds}
    planned, profile = plan(parse_suite("nothing", asked), limit=options.trials), cProfile.Profile()
    about = {**machine("cpu"), "busy_before": busy()}
    ray.init(num_cpus=CPUS, include_dashboard=False, log_to_driver=False, logging_level="CRITICAL")
    ray_tune.trainable = lambda: stand_in(record, planned.specs)  # type: ignore[assignment]
    ends: list[tuple[float, float, float, float]] = []  # wall, CPU, waiting and writing seconds when a record was written
    write, wait = Store.write, ray.wait
    spent = {"waiting": 0.0, "writing": 0.0}

    def noting(store: Store, result: Any) -> None:
        start = time.perf_counter()
        write(store, result)
        end = time.perf_counter()
        spent["writing"] += end - start
        ends.append((end, time.process_time(), spent["waiting"], spent["writing"]))

    def waiting(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        found = wait(*arguments, **options)
        spent["waiting"] += time.perf_counter() - start
        return found

    Store.write, ray.wait = noting, waiting  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        if options.profile:
            profile.enable()
        execute(planned, Store.create(folder), ray_tune.RayTune(cpus=CPUS / options.workers), Runtime(device="cpu"))
        profile.disable()
    ray.shutdown()
    first = options.workers  # not counted, because the first trial of each worker waited for its process
    trials = len(ends) - 1 - first
    wall, cpu, waited, written = ((end - start) / trials for start, end in zip(ends[first], ends[-1], strict=True))
    own = wall - waited
    print_table(
        f"{len(ends):,} trials that do nothing, {options.workers} at a time, on {about['device_name']}",
        ["", ""],
        [
            ["trials per second", f"{1 / wall:.1f}"],
            ["the driver's own time, ms per trial", f"{1000 * own:.1f}"],
            ["of this, writing the record, ms", f"{1000 * written:.1f}"],
            ["of this, CPU time, ms", f"{1000 * cpu:.1f}"],
            ["trials per second that it could keep up with", f"{1 / own:.1f}"],
        ],
        busy_note(about),
    )
    if options.profile:
        pstats.Stats(profile, stream=sys.stdout).sort_stats("cumtime").print_stats(60)
    figures = {"seconds": wall, "own_seconds": own, "cpu_seconds": cpu, "writing_seconds": written}
    write_json(options.json, {"trials": len(ends), "workers": options.workers, **figures, **about})


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--trials", type=int, default=600, metavar="N", help="number of trials (default 600)")
    made.add_argument("--workers", type=int, default=4, metavar="N", help="number of worker processes (default 4)")
    made.add_argument("--profile", action="store_true", help="print where the driver's time goes, which makes it slower")
    options = made.parse_args()
    if not 1 <= options.workers <= CPUS or options.trials < 4 * options.workers:
        made.error(f"--workers must be between 1 and {CPUS}, and --trials at least four times as large")
    return options


if __name__ == "__main__":
    main()
