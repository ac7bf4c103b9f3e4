"""Training speed: images a second of lt_core beside the usual recipe, measured in one run.

ResNet-32, batches of 128, on 12,406 noise images in the shape of CIFAR-10-LT at imbalance factor 100, cropped and flipped.

ours   lt_core's own loop with the recipe cifar_ldam: images on the device, bf16 where the processor has it, fused SGD
usual  DataLoader with two workers, PIL and torchvision transforms, float32, NCHW, plain SGD, loss.item() each step

Both are warmed up, then take turns in rounds, so that a machine that slows down slows both; which goes first alternates.
The ratio is the median of the rounds' ratios. The workers' start is not held against the usual recipe.
"""

from __future__ import annotations

import argparse
import sys
import time

import torch
from breakdown import step_milliseconds, synchronise
from common import Spread, busy, busy_note, cpus, machine, parser, print_table, write_json
from noise import COUNTS, noise_spec, noise_split
from usual import Usual

from bench.cost import spoken
from lt_core.errors import UserError
from lt_core.training.loop import Training
from lt_core.training.runtime import Runtime

IMAGES_CPU = 1280  # a round of both takes five to ten seconds on two cores
EPOCHS = 200


def seconds_of_epoch(training: Training, device: torch.device) -> float:
    """Time of one epoch of lt_core's loop."""
    synchronise(device)
    start = time.perf_counter()
    training.run_epoch()
    synchronise(device)
    return time.perf_counter() - start


def main() -> None:
    options = arguments()
    usual_threads = torch.get_num_threads()  # before anything of ours has touched it
    device = Runtime(device=options.device).torch_device()
    images = options.images_per_round or (sum(COUNTS) if device.type == "cuda" else IMAGES_CPU)
    runtime = Runtime(device=options.device, threads=cpus())
    split, spec = noise_split(device), noise_spec(images)
    runtime.prepare()  # also cuDNN's search for the fastest kernels, which the usual scripts switch on as well
    training, usual = Training(spec, split, device), Usual(spec, split, device)
    about = {**machine(device.type), "busy_before": busy()}

    def ours_round() -> float:
        torch.set_num_threads(runtime.threads)
        return images / seconds_of_epoch(training, device)

    def usual_round() -> float:
        torch.set_num_threads(usual_threads)
        return images / usual.seconds(images)

    ours_round(), usual_round()
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(options.rounds):
        turns = [(ours_round, ours), (usual_round, theirs)]
        for measure, kept in turns if number % 2 == 0 else turns[::-1]:
            kept.append(measure())
    torch.set_num_threads(runtime.threads)
    parts = step_milliseconds(training, device)

    rates = {"ours": Spread(tuple(ours)), "usual": Spread(tuple(theirs))}
    ratio = Spread(tuple(a / b for a, b in zip(ours, theirs, strict=True)))
    print_table(
        f"ResNet-32, training images/s on {about['device_name']}, {images:,} images a round",
        ["", "n", "median", "min..max", f"{EPOCHS} epochs of {sum(COUNTS):,}"],
        [
            *[[name, *rate.cells(), _trial(rate.median, device)] for name, rate in rates.items()],
            ["ours / usual", *ratio.cells(2), ""],
        ],
    )
    total = sum(parts.values())
    print_table(
        "what bounds it (ours, part by part)",
        ["", "ms a step", "share"],
        [[name, f"{value:.2f}", f"{100 * value / total:.1f} %"] for name, value in parts.items()],
        [
            f"threads: ours {runtime.threads}, usual {usual_threads} and 2 workers; ours in {training.dtype or torch.float32}",
            *busy_note(about),
        ],
    )
    write_json(
        options.json,
        {
            **{name: rate.median for name, rate in rates.items()},
            "ratio": ratio.median,
            "rounds": options.rounds,
            "images_per_round": images,
            "min": {**{name: rate.low for name, rate in rates.items()}, "ratio": ratio.low},
            "max": {**{name: rate.high for name, rate in rates.items()}, "ratio": ratio.high},
            "trial_seconds": {name: EPOCHS * sum(COUNTS) / rate.median for name, rate in rates.items()},
            "step_milliseconds": parts,
            "usual_threads": usual_threads,
            **about,
        },
    )


def _trial(rate: float, device: torch.device) -> str:
    seconds = EPOCHS * sum(COUNTS) / rate
    return f"{seconds:,.0f} s" if device.type == "cuda" else spoken(seconds)


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="auto: CUDA if there is one")
    made.add_argument(
        "--images-per-round", type=int, metavar="N", help=f"images of a round; default: {IMAGES_CPU:,}, on CUDA a whole epoch"
    )
    made.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of each way (default 5)")
    options = made.parse_args()
    if options.rounds < 1 or (options.images_per_round is not None and not 1 <= options.images_per_round <= sum(COUNTS)):
        made.error(f"--rounds must be at least 1, and --images-per-round lie in 1..{sum(COUNTS)}")
    return options


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
