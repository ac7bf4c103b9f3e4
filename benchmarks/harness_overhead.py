"""The cost of the harness: the first trials of suite quick with Ray, compared with the same trials in a bare loop.

ray   bench.run into a temporary folder: plan, Ray Tune with 1 CPU per trial, a record on disk for each trial
loop  for spec in specs: run_trial(spec, Runtime(threads=all CPUs)); no store, no harness, one process
loops the same loop once per CPU at once, each with one thread and its share of the trials: the best that a harness can do

Each runs in a process of its own, one after the other, and is timed from outside, including interpreter, imports and Ray's start,
because a user waits for these too. The figures are wall seconds, trials per minute, and the ratio loop / ray (above 1, Ray is
faster). Ray's wall time is split into its start-up (until the first trial has started), its shutdown, and the overhead per trial,
which is the time of a worker that no trial accounts for: workers · (time from the first start to the last record) / trials − mean
seconds of a trial.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import busy, busy_note, cpus, machine, parser, print_table, write_json

SUITE = "quick"


def ray_side(trials: int) -> dict[str, Any]:
    """Run ``trials`` trials with Ray. Points in time are seconds since the epoch."""
    import ray

    import bench

    with tempfile.TemporaryDirectory() as folder:
        connected: list[float] = []
        connect = ray.init

        def init(*args: Any, **options: Any) -> Any:
            answer = connect(*args, **options)
            connected.append(time.time())
            return answer

        ray.init = init
        store = bench.run(SUITE, out=folder, backend="ray", device="cpu", limit=trials)
        results = list(store.results())
        # (time when the record was written, seconds of the trial), sorted by time
        ends = sorted(((store.records / f"{r.trial_id}.json").stat().st_mtime, sum(r.seconds.values())) for r in results)
        return {
            "connected": connected[0],
            "first_start": ends[0][0] - ends[0][1],
            "last_record": ends[-1][0],
            "trial_seconds": sum(seconds for _, seconds in ends),
            "workers": int(ray.cluster_resources()["CPU"]),
            "ok": sum(r.status == "ok" for r in results),
        }


def loop_side(trials: int, part: int = 0, parts: int = 1) -> dict[str, Any]:
    """Run every ``parts``-th of ``trials`` trials, from number ``part``, one after another, each with its share of the CPUs."""
    from bench import load_suite, plan
    from lt_core.training import Runtime, run_trial

    runtime, todo = Runtime(device="cpu", threads=cpus() // parts), plan(load_suite(SUITE), limit=trials).todo
    results = [run_trial(spec, runtime) for spec in todo[part::parts]]
    return {"trial_seconds": sum(sum(r.seconds.values()) for r in results), "ok": sum(r.status == "ok" for r in results)}


def started(side: str, trials: int, told: Path, part: int = 0) -> subprocess.Popen[str]:
    """A process that runs one side, or part of it, and writes its figures to ``told``."""
    options = ["--trials", str(trials), "--side", side, "--part", str(part), "--json", str(told)]
    return subprocess.Popen([sys.executable, __file__, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def timed(side: str, trials: int) -> dict[str, Any]:
    """Run one side in fresh processes: the figures that it reports, its wall seconds and when it began."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{part}.json" for part in range(cpus() if side == "loops" else 1)]
        began, start = time.time(), time.perf_counter()
        processes = [started(side, trials, told, part) for part, told in enumerate(files)]
        said = [process.communicate()[0] for process in processes]
        wall = time.perf_counter() - start
        if any(process.returncode for process in processes):
            sys.exit("\n".join([*said, f"the {side} side failed"]))
        facts = [json.loads(told.read_text()) for told in files]
    ok = sum(each["ok"] for each in facts)
    if ok != trials:
        sys.exit(f"{side}: only {ok} of {trials} trials finished, so the times cannot be compared")
    return {**facts[0], "trial_seconds": sum(each["trial_seconds"] for each in facts), "wall": wall, "began": began}


def main() -> None:
    options = arguments()
    if options.side:
        if options.side == "ray":
            facts = ray_side(options.trials)
        else:
            facts = loop_side(options.trials, options.part, cpus() if options.side == "loops" else 1)
        write_json(options.json, facts)
        return
    trials, about = options.trials, {**machine("cpu"), "busy_before": busy()}
    loop, ray, loops = timed("loop", trials), timed("ray", trials), timed("loops", trials)
    running = ray["last_record"] - ray["first_start"]
    phases = {
        "ray_init_seconds": ray["connected"] - ray["began"],
        "startup_seconds": ray["first_start"] - ray["began"],
        "running_seconds": running,
        "shutdown_seconds": ray["began"] + ray["wall"] - ray["last_record"],
        "overhead_seconds_per_trial": (ray["workers"] * running - ray["trial_seconds"]) / trials,
        "trial_seconds": {name: of["trial_seconds"] / trials for name, of in (("ours", ray), ("usual", loop), ("bound", loops))},
    }
    walls = [of["wall"] for of in (loop, ray, loops)]
    ratio = loop["wall"] / ray["wall"]
    print_table(
        f"{trials} trials of suite {SUITE} on {cpus()} CPUs ({about['device_name']})",
        ["", "bare loop", f"Ray, {ray['workers']} workers", f"{cpus()} bare loops"],
        [
            ["wall", *_seconds(*walls)],
            ["trials/min", *(f"{60 * trials / wall:.1f}" for wall in walls)],
            ["wall of the loop / wall", *(f"{loop['wall'] / wall:.2f}" for wall in walls)],
            ["a trial's own time", *_seconds(*(of["trial_seconds"] / trials for of in (loop, ray, loops)))],
            ["until ray.init is done", "", *_seconds(phases["ray_init_seconds"]), ""],
            ["until the first trial starts", "", *_seconds(phases["startup_seconds"]), ""],
            ["after the last record", "", *_seconds(phases["shutdown_seconds"]), ""],
            ["harness, per trial", "", *_seconds(phases["overhead_seconds_per_trial"]), ""],
        ],
        busy_note(about),
    )
    figures = {"ours": ray["wall"], "usual": loop["wall"], "bound": loops["wall"], "ratio": ratio}
    write_json(options.json, {**figures, "trials": trials, "workers": ray["workers"], **phases, **about})


def _seconds(*values: float) -> list[str]:
    return [f"{value:.2f} s" for value in values]


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--trials", type=int, default=60, metavar="N", help="number of trials of the suite (default 60)")
    made.add_argument("--side", choices=("ray", "loop", "loops"), help=argparse.SUPPRESS)  # given to the child processes
    made.add_argument("--part", type=int, default=0, help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.trials < 1:
        made.error("--trials must be at least 1")
    return options


if __name__ == "__main__":
    main()
