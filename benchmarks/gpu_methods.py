"""Every method on a GPU, on digits: whether it finishes, whether two runs give the same figures, and whether a recorded run gives
the same figures as one without recording. Part of `gpu.py`. Several processes run at once, each of which takes the next method.
Methods that FILE has are not checked again.
"""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections import Counter
from typing import Any

import torch
from common import cpus, measured_before, parser, print_table, write_json
from gpu_speed import recording

from lt_core.methods import METHODS
from lt_core.result import TrialResult
from lt_core.testing.trials import VALIDATED, figures_of, fitting_spec
from lt_core.training import run_trial
from lt_core.training.runtime import Runtime

PRECISIONS = ("float32", "bfloat16")


def checked(task: tuple[str, str, str]) -> dict[str, Any]:
    """Check one method in one precision on one kind of device."""
    method, precision, kind = task
    spec, runtime, start = fitting_spec(method, data=VALIDATED, precision=precision), Runtime(device=kind), time.perf_counter()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with recording(True, torch.device(kind)):
            first, again = run_trial(spec, runtime), run_trial(spec, runtime)
        with recording(False, torch.device(kind)):
            plain = run_trial(spec, runtime)
    words = Counter(str(w.message).split("(Triggered")[0].strip()[:150] for w in told)
    return {
        "method": method, "precision": precision, "status": first.status, "cause": first.cause,
        "traceback": first.traceback[-2000:], "same_twice": not differing(first, again),
        "same_as_each_operation": not differing(first, plain), "differing": [differing(first, again), differing(first, plain)],
        "warnings": words.most_common(6),
        "seconds": time.perf_counter() - start,
    }  # fmt: skip


def differing(one: TrialResult, other: TrialResult) -> dict[str, Any]:
    """The figures in which two results of one trial differ."""
    ours, theirs = figures_of(one), figures_of(other)
    return {key: (value, theirs.get(key)) for key, value in ours.items() if value != theirs.get(key)}


def left(found: list[dict[str, Any]], names: list[str], kind: str) -> list[tuple[str, str, str]]:
    """The methods of ``names`` and precisions that are not among the rows ``found``, as tasks for `checked`."""
    done = {(row["method"], row["precision"]) for row in found}
    return [(name, precision, kind) for precision in PRECISIONS for name in names if (name, precision) not in done]


def main() -> None:
    asked = parser(__doc__)
    asked.add_argument("--dry", action="store_true", help="check five methods on a CPU")
    asked.add_argument("--processes", type=int, default=max(1, min(12, cpus() - 2)), help="number of processes at once")
    options = asked.parse_args()
    kind = "cpu" if options.dry else "cuda"
    names = ["softmax", "ldam_drw", "crt", "mixup", "fixmatch"] if options.dry else list(METHODS)
    found: list[dict[str, Any]] = measured_before(options.json, kind).get("rows", [])
    tasks = left(found, names, kind)
    number = len(found) + len(tasks)
    write_json(options.json, {"device": kind, "complete": not tasks, "rows": found})
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for row in pool.imap_unordered(checked, tasks):
            found.append(row)
            well = row["status"] == "ok" and row["same_twice"] and row["same_as_each_operation"]
            if not well:
                print({k: v for k, v in row.items() if k != "seconds"}, flush=True)
            write_json(options.json, {"device": kind, "complete": len(found) == number, "rows": found})
    print_table(
        f"{len(names)} methods on {kind}, digits, 3 epochs",
        ["", "methods", "ok", "same twice", "recorded as each operation"],
        [
            [
                precision,
                str(len(rows)),
                *[str(sum(bool(r[k]) for r in rows)) for k in ("ok", "same_twice", "same_as_each_operation")],
            ]
            for precision in PRECISIONS
            for rows in [[{**r, "ok": r["status"] == "ok"} for r in found if r["precision"] == precision]]
        ],
        [f"{n} × {text}" for text, n in Counter(w for r in found for w, _ in r["warnings"]).most_common(12)],
    )


if __name__ == "__main__":
    main()
