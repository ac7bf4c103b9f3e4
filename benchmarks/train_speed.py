"""Training speed: images per second of lt_core and of the usual recipe, and whether `precision: auto` chooses the faster
precision here.

The network is ResNet-32, with batches of 128 of 12,406 noise images in the shape of CIFAR-10-LT at imbalance factor 100, cropped
and flipped.

ours   lt_core's own loop with the recipe cifar_ldam: images on the device, channels last, fused SGD, the precision of `auto`
usual  DataLoader with two workers, PIL and torchvision transforms, float32, NCHW, plain SGD, loss.item() in each step

Our loop is measured with both precisions in both memory layouts; `auto` must be within 3 % of the best of the four. All are
warmed up; a way that is then less than a quarter as fast as the best keeps this one figure. The others take turns in rounds, so
that a machine that slows down affects all; every other round goes backwards. A ratio is the median of the rounds' ratios. The
start of the usual recipe's workers is not counted.

Exit code 1: the machine was busy before the measurement or at its end, and nothing is reported; or the median of the rounds says
that `auto` is more than 3 % behind.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from breakdown import step_milliseconds, synchronise
from common import Spread, busy, cpus, machine, parser, print_table, refuse_busy, taking_turns, write_json
from noise import COUNTS, noise_spec, noise_split
from usual import Usual, as_usual

from lt_core.data.loader import Split
from lt_core.errors import UserError
from lt_core.labels import duration
from lt_core.spec import TrialSpec
from lt_core.training.loop import Training
from lt_core.training.runtime import Runtime, autocast_dtype

IMAGES_CPU = 1280  # a round of all five ways takes a quarter of a minute on two cores
EPOCHS = 200
Way = tuple[str, ...]  # precision and memory layout of ours, or the usual recipe
CHANNELS_LAST, CONTIGUOUS = LAYOUTS = ("channels last", "contiguous")
PRECISIONS = ("bfloat16", "float32")
USUAL: Way = ("usual",)
NEAR = 0.97  # share of the best speed that `auto` must reach


def seconds_of_epoch(training: Training, device: torch.device) -> float:
    """Time of one epoch of lt_core's loop."""
    synchronise(device)
    start = time.perf_counter()
    training.run_epoch()
    synchronise(device)
    return time.perf_counter() - start


def our_training(spec: TrialSpec, split: Split, device: torch.device, precision: str, layout: str) -> Training:
    """lt_core's training in ``precision`` and in a memory ``layout``, either its own or the other one."""
    training = Training(replace(spec, recipe=replace(spec.recipe, precision=precision)), split, device)
    if layout == CONTIGUOUS:
        training.model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        as_loaded = training.batches.normalise
        training.batches.normalise = lambda pixels: as_loaded(pixels).contiguous()  # type: ignore[method-assign]
    return training


def verdict(chosen: str, other: str, ratio: Spread, what: str) -> str:
    """Whether ``chosen`` was right, in words, by the rounds' ratios of its speed to that of ``other``; all must agree."""
    times = f"{ratio.median:.2f} ({ratio.low:.2f}..{ratio.high:.2f}, n = {len(ratio.values)}) times"
    if ratio.low > 1:
        return f"{what} is {chosen} here, and right: it trains {times} as many images per second as {other}"
    if ratio.high < 1:
        return f"{what} is {chosen} here, and WRONG: it trains only {times} as many images per second as {other}"
    return f"{what} is {chosen} here, and these rounds do not show whether {other} is faster: {times} as many images per second"


def behind(rates: Mapping[Way, Sequence[float]], chosen: Way) -> tuple[Way, Spread]:
    """Our fastest way by its median, and the rounds' ratios of the speed of ``chosen`` to it."""
    ours = {way: found for way, found in rates.items() if way != USUAL}
    best = max(ours, key=lambda way: Spread(tuple(ours[way])).median)
    return best, Spread(tuple(a / b for a, b in zip(ours[chosen], ours[best], strict=False)))


def hopeless(first: Mapping[Way, Sequence[float]]) -> set[Way]:
    """Our ways that are less than a quarter as fast as the fastest while all are warmed up, such as bfloat16 on a processor that
    has to emulate it. Further rounds of these would take most of the time and could not change the outcome.
    """
    ours = {way: rate for way, (rate,) in first.items() if way != USUAL}
    return {way for way, rate in ours.items() if rate < max(ours.values()) / 4}


def near(of_best: Spread) -> tuple[bool, str]:
    """Whether ``auto`` is near enough to the best of the four by the median of the rounds' ratios, and the words for it."""
    enough = of_best.median >= NEAR
    return enough, "within 3 %" if enough else "MORE THAN 3 % BEHIND"


def main() -> None:
    options = arguments()
    refuse_busy("before this began", share := busy())
    usual_threads = torch.get_num_threads()  # before our code changes it
    device = Runtime(device=options.device).torch_device()
    images = options.images_per_round or (sum(COUNTS) if device.type == "cuda" else IMAGES_CPU)
    runtime = Runtime(device=options.device, threads=cpus())
    split, spec = noise_split(device), noise_spec(images)
    trainings = {(p, m): our_training(spec, split, device, p, m) for p in PRECISIONS for m in LAYOUTS}
    auto = "bfloat16" if autocast_dtype("auto", device) else "float32"
    usual = Usual(spec, split, device)
    about = {**machine(device.type), "busy_before": share}

    def ours_round(training: Training) -> float:
        runtime.prepare()
        return images / seconds_of_epoch(training, device)

    def usual_round() -> float:
        as_usual(usual_threads)
        return images / usual.seconds(images)

    turns: dict[Way, Callable[[], float]] = {way: partial(ours_round, training) for way, training in trainings.items()}
    turns[USUAL] = usual_round
    first = {way: [turn()] for way, turn in turns.items()}
    ours = (auto, CHANNELS_LAST)
    slow = hopeless(first) - {ours}
    measured = {**first, **taking_turns({way: turn for way, turn in turns.items() if way not in slow}, options.rounds)}
    refuse_busy("when it ended", busy())
    runtime.prepare()
    best, of_best = behind(measured, ours)
    near_enough, words = near(of_best)
    parts = step_milliseconds(trainings[ours], device)

    def against(one: Way, other: Way) -> Spread:
        pairs = zip(measured[one], measured[other], strict=False)  # a hopeless way has one figure
        return Spread(tuple(a / b for a, b in pairs))

    rates = {way: Spread(tuple(values)) for way, values in measured.items()}
    ratio, slower = against(ours, USUAL), next(p for p in PRECISIONS if p != auto)
    said = [
        verdict(auto, slower, against(ours, (slower, CHANNELS_LAST)), "precision auto"),
        verdict(CHANNELS_LAST, CONTIGUOUS, against(ours, (auto, CONTIGUOUS)), "the memory layout"),
    ]
    said.append(
        f"auto took {', '.join(ours)}, the best of the four was {', '.join(best)}: {of_best.median:.2f} "
        f"({of_best.low:.2f}..{of_best.high:.2f}, n = {len(of_best.values)}) times as fast, {words}"
    )
    print_table(
        f"ResNet-32, training images/s on {about['device_name']}, {images:,} images per round",
        ["", "n", "median", "min..max", f"{EPOCHS} epochs of {sum(COUNTS):,}"],
        [
            *[
                [", ".join(way) + (" (ours)" if way == ours else ""), *rate.cells(), _trial(rate.median, device)]
                for way, rate in rates.items()
            ],
            ["ours / usual", *ratio.cells(2), ""],
        ],
        said,
    )
    total = sum(parts.values())
    print_table(
        "what bounds it (ours, part by part)",
        ["", "ms per step", "share"],
        [[name, f"{value:.2f}", f"{100 * value / total:.1f} %"] for name, value in parts.items()],
        [f"threads: ours {runtime.threads}, usual {usual_threads} and 2 workers"],
    )
    two = {"ours": rates[ours], "usual": rates[USUAL]}
    write_json(
        options.json,
        {
            **{name: rate.median for name, rate in two.items()},
            "ratio": ratio.median,
            "rounds": options.rounds,
            "images_per_round": images,
            "min": {**{name: rate.low for name, rate in two.items()}, "ratio": ratio.low},
            "max": {**{name: rate.high for name, rate in two.items()}, "ratio": ratio.high},
            "trial_seconds": {name: EPOCHS * sum(COUNTS) / rate.median for name, rate in two.items()},
            "combinations": {", ".join(way): list(rates[way].values) for way in trainings},
            "auto": auto,
            "best": ", ".join(best),
            "auto_of_best": list(of_best.values),
            "verdicts": said,
            "step_milliseconds": parts,
            "usual_threads": usual_threads,
            **about,
        },
    )
    if not near_enough:
        sys.exit(1)


def _trial(rate: float, device: torch.device) -> str:
    seconds = EPOCHS * sum(COUNTS) / rate
    return f"{seconds:,.0f} s" if device.type == "cuda" else duration(seconds)


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="auto: CUDA if there is one")
    made.add_argument(
        "--images-per-round", type=int, metavar="N", help=f"images per round [default: {IMAGES_CPU:,}; on CUDA a whole epoch]"
    )
    made.add_argument("--rounds", type=int, default=5, metavar="N", help="number of rounds (default 5)")
    options = made.parse_args()
    if options.rounds < 1 or (options.images_per_round is not None and not 1 <= options.images_per_round <= sum(COUNTS)):
        made.error(f"--rounds must be at least 1, and --images-per-round between 1 and {sum(COUNTS)}")
    return options


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
