"""Milliseconds per training step of a head on stored features: operation by operation, and recorded (`lt_core.training.tape`).

    $ python benchmarks/head_speed.py

The features are random numbers, 10,000 of them with 1,280 values each, so no data is needed. The two ways take turns. One thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any
from unittest.mock import patch

from common import Spread, busy, machine, parser, print_table, refuse_busy, taking_turns, write_json

#: Methods, with settings in which every step is of the same kind and no further images are needed.
METHODS: dict[str, dict[str, Any]] = {
    "softmax": {}, "logit_adjusted": {}, "cb_focal": {}, "ldam_drw": {"defer": 0.0}, "mm_drw": {"defer": 0.0},
    "meta_weight_net": {"meta_set": "train"},
}  # fmt: skip
IMAGES, WIDTH = 10_000, 1280
MODEL = "frozen[backbone=efficientnet_lite0,size=112,weights=57934424]"


def main() -> None:
    options = arguments()
    import torch

    torch.set_num_threads(1)
    about = {**machine("cpu"), "busy_before": busy()}
    refuse_busy("before this began,", about["busy_before"])
    rows, figures = [], {}
    for method in METHODS:
        for classes in (10, 100):
            for batch in (64, 128):
                ways = {way: epochs_of(method, classes, batch, recorded=way == "recorded") for way in ("one by one", "recorded")}
                measured = taking_turns(ways, options.rounds)
                one, other = (Spread(tuple(measured[way])) for way in ways)
                ratio = Spread(tuple(a / b for a, b in zip(one.values, other.values, strict=True)))
                cells = [*one.cells(2), *other.cells(2)[1:], *ratio.cells(2)[1:]]
                rows.append([f"{method}, {classes} classes, batch of {batch}", *cells])
                figures[f"{method}, {classes}, {batch}"] = {**measured, "ratio": list(ratio.values)}
    columns = ["head", "n", "ms one by one", "range", "ms recorded", "range", "ratio", "range"]
    print_table(f"Training steps of heads on {about['device_name']}", columns, rows)
    write_json(options.json, {**about, "figures": figures})


def epochs_of(method: str, classes: int, batch: int, recorded: bool) -> Callable[[], float]:
    """A function that trains for an epoch and gives its milliseconds per step, after the epochs that record."""
    from lt_core.training import loop

    with nullcontext() if recorded else patch.object(loop, "recorder_for", lambda *where: None):
        training = made(method, classes, batch)
    for _ in range(5):
        training.run_epoch()
    return partial(_per_step, training, -(-IMAGES // batch))


def _per_step(training: Any, steps: int) -> float:
    start = time.perf_counter()
    training.run_epoch()
    return 1000 * (time.perf_counter() - start) / steps


def made(method: str, classes: int, batch: int) -> Any:
    """A training of ``method`` on random features."""
    import dataclasses

    import torch

    from lt_core.data.loader import Images, Split
    from lt_core.methods import resolve
    from lt_core.recipes import RECIPES
    from lt_core.spec import DataSpec, TrialSpec
    from lt_core.training.loop import Training

    drawn = torch.Generator().manual_seed(0)
    labels = torch.arange(IMAGES) % classes
    images = Images(torch.randn(IMAGES, 1, 1, WIDTH, generator=drawn), labels)
    few = images.at(slice(0, classes))
    split = Split(images, few, few, torch.bincount(labels).double(), (1, 1, WIDTH))
    recipe = dataclasses.replace(RECIPES["frozen"], model=MODEL, batch_size=batch, epochs=100)
    spec = TrialSpec(DataSpec(f"cifar{classes}"), resolve(method, METHODS[method]), recipe)
    return Training(spec, split, torch.device("cpu"))


def arguments() -> Any:
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=5, metavar="N", help="epochs of each way per row [default: 5]")
    return options.parse_args()


if __name__ == "__main__":
    main()
