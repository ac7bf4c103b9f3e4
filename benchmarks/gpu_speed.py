"""Images per second on one GPU: operation by operation, recorded and replayed, and by the usual recipe. Part of `gpu.py`.

The network is ResNet-32, with batches of 128 of 12,406 noise images in the shape of CIFAR-10-LT. Our trainings take turns in
rounds of one epoch, after four epochs to warm up. Each recorded training must end with the same weights as the one that it
replaces, to the bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from unittest.mock import patch

import torch
from breakdown import synchronise
from common import Spread, machine, parser, print_table, taking_turns, write_json
from noise import COUNTS, noise_spec, noise_split
from usual import Usual, as_usual

from lt_core.data.loader import Split
from lt_core.spec import TrialSpec
from lt_core.testing.tape import recording_on_cpu
from lt_core.testing.trials import weights_of
from lt_core.training import loop
from lt_core.training.loop import Training
from lt_core.training.runtime import Runtime

WARM = 4  # epochs to warm up, because the last batch of an epoch is recorded in the fourth
PRECISIONS = ("bfloat16", "float32")
WORKERS = (2, 4)
ROUNDS = 5


def recording(recorded: bool, device: torch.device) -> AbstractContextManager[object]:
    """A block in which trainings are made that record their steps if ``recorded``."""
    if not recorded:
        return patch.object(loop, "recorder_for", lambda *where: None)
    return recording_on_cpu() if device.type == "cpu" else nullcontext()


def training(spec: TrialSpec, split: Split, device: torch.device, recorded: bool = True) -> Training:
    """A training whose steps are recorded if ``recorded``."""
    with recording(recorded, device):
        return Training(spec, split, device)


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """How long ``work`` takes, including what it starts on the device."""
    synchronise(device)
    start = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - start


def main() -> None:
    asked = parser(__doc__)
    asked.add_argument("--dry", action="store_true", help="run a small version on a CPU")
    options = asked.parse_args()
    device = torch.device("cpu" if options.dry else "cuda")
    images, rounds = (40, 1) if options.dry else (sum(COUNTS), ROUNDS)
    changes = {"batch_size": 32} if options.dry else {}  # two batches: a whole one, and a smaller last one
    usual_threads = torch.get_num_threads()
    runtime = Runtime(device=device.type, threads=1)
    runtime.prepare()
    split = noise_split(device)
    specs = {precision: noise_spec(images, precision=precision, **changes) for precision in PRECISIONS}
    ways = {(p, r): training(specs[p], split, device, r) for p in PRECISIONS for r in (False, True)}
    turns: dict[str, Callable[[], float]] = {}
    for (precision, recorded), one in ways.items():
        with recording(recorded, device):
            for _ in range(WARM):
                one.run_epoch()
        turns[f"{precision}, {'recorded' if recorded else 'each operation'}"] = partial(seconds_of, one.run_epoch, device)
    measured = {name: [images / seconds for seconds in each] for name, each in taking_turns(turns, rounds).items()}
    same = {p: torch.equal(weights_of(ways[p, False].model), weights_of(ways[p, True].model)) for p in PRECISIONS}
    for workers in WORKERS[:1] if options.dry else WORKERS:
        usual = Usual(noise_spec(images, **changes), split, device, workers)
        as_usual(usual_threads)
        usual.seconds(128)
        measured[f"usual recipe, {workers} workers"] = [images / usual.seconds(images) for _ in range(min(2, rounds))]
    rates = {name: Spread(tuple(values)) for name, values in measured.items()}
    print_table(
        f"ResNet-32, training images/s on {machine(device.type)['device_name']}, {images:,} images per round",
        ["", "n", "median", "min..max", f"200 epochs of {sum(COUNTS):,}, s"],
        [[name, *rate.cells(), f"{200 * sum(COUNTS) / rate.median:.1f}"] for name, rate in rates.items()],
        [
            f"{p}: the weights {'are' if s else 'ARE NOT'} the same with and without recording, to the bit"
            for p, s in same.items()
        ],
    )
    figures = {name: {"median": r.median, "min": r.low, "max": r.high, "n": len(r.values)} for name, r in rates.items()}
    about = {**machine(device.type), "complete": True, "images": images}
    write_json(options.json, {**about, "same": same, "images_per_second": figures})


if __name__ == "__main__":
    main()
