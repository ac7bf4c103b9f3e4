"""Strong augmentation: images/s of StrongAugment on whole batches, compared with torchvision's RandAugment on one PIL image at a
time.

The batches have 448 noise images (μ = 7 times 64) of 32×32 pixels in colour. Both ways apply two operations and cutout, and end
with a uint8 tensor.

ours   lt_core.data.strong.StrongAugment, on the device
usual  torchvision.transforms.RandAugment(2, 10) and a grey square on PIL images, as in the data loader of public FixMatch code,
       then PILToTensor; in one process, like ours

Both are warmed up, then take turns in rounds; the ratio is the median of the rounds' ratios. Public code would spread the images
over data-loader workers, just as our trials run side by side.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

import torch
from common import Spread, busy, busy_note, cpus, machine, parser, print_table, taking_turns, write_json
from PIL import Image
from torch import Tensor

from lt_core.data.strong import StrongAugment
from lt_core.errors import UserError
from lt_core.training.runtime import Runtime

BATCH, SIDE = 448, 32


def usual(images: list[Image.Image]) -> Tensor:
    """A batch that is augmented in the usual way."""
    from torchvision.transforms import PILToTensor, RandAugment

    augment, to_tensor, made = RandAugment(2, 10), PILToTensor(), []
    for image in images:
        changed = augment(image)
        x, y = (random.randrange(SIDE) - SIDE // 4 for _ in range(2))
        changed.paste((127, 127, 127), (max(0, x), max(0, y), min(SIDE, x + SIDE // 2), min(SIDE, y + SIDE // 2)))
        made.append(to_tensor(changed))
    return torch.stack(made)


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="auto: CUDA if there is one")
    made.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds of each way (default 7)")
    options = made.parse_args()
    if options.rounds < 1:
        made.error("--rounds must be at least 1")
    runtime = Runtime(device=options.device, threads=cpus())
    runtime.prepare()
    device = runtime.torch_device()
    about = {**machine(device.type), "busy_before": busy()}
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (BATCH, SIDE, SIDE, 3), generator=draw, dtype=torch.uint8)
    pictures = [Image.fromarray(p.numpy()) for p in pixels]
    there, strong = pixels.to(device), StrongAugment()

    def rate(work: Callable[[], Tensor], batches: int) -> float:
        start = time.perf_counter()
        for _ in range(batches):
            made = work()
        float(made[0, 0, 0, 0])  # waits for the device
        return batches * BATCH / (time.perf_counter() - start)

    def ours_round() -> float:
        return rate(lambda: strong(there, draw), 20)

    def usual_round() -> float:
        return rate(lambda: usual(pictures), 3)

    ours_round(), usual_round()
    measured = taking_turns({"ours": ours_round, "usual": usual_round}, options.rounds)
    ours, theirs = measured["ours"], measured["usual"]
    rates = {"ours": Spread(tuple(ours)), "usual": Spread(tuple(theirs))}
    ratio = Spread(tuple(a / b for a, b in zip(ours, theirs, strict=True)))
    print_table(
        f"RandAugment and cutout, images/s on {about['device_name']}, batches of {BATCH}",
        ["", "n", "median", "min..max"],
        [*[[name, *spread.cells()] for name, spread in rates.items()], ["ours / usual", *ratio.cells(2)]],
        [f"threads: {runtime.threads}", *busy_note(about)],
    )
    spreads = {**rates, "ratio": ratio}
    write_json(
        options.json,
        {
            **{name: spread.median for name, spread in spreads.items()},
            "rounds": options.rounds,
            "min": {name: spread.low for name, spread in spreads.items()},
            "max": {name: spread.high for name, spread in spreads.items()},
            **about,
        },
    )


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
