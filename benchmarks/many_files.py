"""A set of very many small pictures: the time to add it and to open it in each process, and the memory of a trial on it.

    python benchmarks/many_files.py --files 100000 --size 32
    python benchmarks/many_files.py --files 100000 --size 64

JPEGs of 32 × 32 pixels, no two of them alike, are written into a temporary folder, as 1,000 class folders and a list file that
names the same pictures. Every figure is measured in processes of its own:

add, first   `bench.py data add`: find the files, hash and decode each, and write the manifest
add, again   the same when all of this exists already
begin        what each process does before it trains: read the manifest, and compare each file with it by size and time
usual        the same with torchvision: ImageFolder on the class folders; the list is read line by line, without opening any file

Seconds are processor time, user and system, after the imports, so that other work on the machine hardly affects them. Memory is
the peak resident memory, including pages of mapped files, of a process that opens the set, trains on 4,000 images in batches of
32 and evaluates on the test set, a fifth of all files. The goal is 1.5 GiB.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import Spread, machine, parser, peak_gib, print_table, write_json

CLASSES, GOAL = 1000, 1.5
LAYOUTS = {"folders": "tree", "list": "list.txt"}


def write_pictures(folder: Path, files: int) -> None:
    """Write the class folders and the list."""
    import numpy as np
    from PIL import Image

    drawn = io.BytesIO()
    noise = np.random.RandomState(0).randint(0, 256, (32, 32, 3)).astype(np.uint8)
    Image.fromarray(noise).save(drawn, "JPEG")
    content, lines = drawn.getvalue(), []
    for number in range(files):
        place = f"class_{number % CLASSES:04d}/picture_{number:07d}.jpg"
        (folder / "tree" / place).parent.mkdir(parents=True, exist_ok=True)
        comment = b"\xff\xfe\x00\x0e%012d" % number  # after the marker at the start of the file
        (folder / "tree" / place).write_bytes(content[:2] + comment + content[2:])
        lines.append(f"{place} {number % CLASSES}\n")
    (folder / "list.txt").write_text("".join(lines))


# These functions run in processes of their own, after the imports.


def measured(what: str, layout: str, folder: Path, size: int) -> dict[str, Any]:
    """Seconds and peak memory of this process; ``what`` is a function of this module, without its underscore."""
    # The imports are not measured.
    if what == "usual":
        import torchvision.datasets  # noqa: F401
    from lt_core import training  # noqa: F401
    from lt_core.data import pictures  # noqa: F401

    imported, start = _peak(), time.process_time()
    globals()[f"_{what}"](layout, folder, size)
    return {"seconds": time.process_time() - start, "imports": imported, "memory": _peak()}


def _add(layout: str, folder: Path, size: int) -> None:
    from lt_core.data.pictures import add_set

    add_set(layout, folder / LAYOUTS[layout], root=folder / "tree", size=size)


def _begin(layout: str, folder: Path, size: int) -> None:
    from lt_core.data.sets import DATASETS
    from lt_core.data.sources import load_set

    load_set(DATASETS.versioned(layout))


def _usual(layout: str, folder: Path, size: int) -> None:
    if layout == "folders":
        from torchvision.datasets import ImageFolder

        ImageFolder(str(folder / "tree"))
    else:
        words = (line.split() for line in (folder / "list.txt").read_text().splitlines())
        [(f"{folder}/tree/{place}", int(label)) for place, label in words]


def _trial(layout: str, folder: Path, size: int) -> None:
    import noise  # noqa: F401  (it registers the sampling)

    from lt_core.data.sets import DATASETS
    from lt_core.methods import resolve
    from lt_core.recipes import RECIPES
    from lt_core.spec import DataSpec, TrialSpec
    from lt_core.training import run_trial
    from lt_core.training.runtime import Runtime

    recipe = replace(RECIPES["digits"], epochs=1, pad=0, flip=True, batch_size=32, normalize="subset")
    method = resolve("softmax", {"sampling": "benchmark_first", "benchmark_images": 4000})
    data = DataSpec(DATASETS.versioned(layout), imbalance_type="natural")
    result = run_trial(TrialSpec(data, method, recipe), Runtime(device="cpu", threads=1))
    if result.status != "ok":
        sys.exit(f"the trial ended as {result.status}: {result.cause}")


def _peak() -> float:
    """The peak resident memory of this process in GiB."""
    return peak_gib(resource.getrusage(resource.RUSAGE_SELF))


def child(what: str, layout: str, folder: Path, size: int) -> dict[str, Any]:
    """`measured` in a fresh process."""
    words = [sys.executable, __file__, "--child", what, layout, str(folder), "--size", str(size)]
    places = {"LT_CACHE": str(folder / "cache"), "LT_SETS": str(folder / "sets")}
    done = subprocess.run(words, env={**os.environ, **places}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\n{what} failed")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def main() -> None:
    options = arguments()
    if options.child:
        what, layout, folder = options.child
        print(json.dumps(measured(what, layout, Path(folder), options.size)))
        return
    seconds: dict[str, dict[str, Spread]] = {}
    memory: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_pictures(folder, options.files)
        for layout in LAYOUTS:
            first = child("add", layout, folder, options.size)
            rounds = [
                {what: child(what, layout, folder, options.size) for what in ("add", "begin", "usual")}
                for _ in range(options.rounds)
            ]
            trial = child("trial", layout, folder, options.size)
            again = {what: Spread(tuple(found[what]["seconds"] for found in rounds)) for what in rounds[0]}
            seconds[layout] = {"add, first": Spread((first["seconds"],)), "add, again": again.pop("add"), **again}
            memory[layout] = {
                "after imports": trial["imports"],
                "begun": rounds[0]["begin"]["memory"],
                "at most": trial["memory"],
            }
    about = machine("cpu")
    print_table(
        f"{options.files:,} pictures at {options.size} pixels, seconds of the processor ({about['device_name']})",
        ["", "n", "median", "min..max"],
        [[f"{layout}: {what}", *spread.cells(2)] for layout, its in seconds.items() for what, spread in its.items()],
    )
    most = max(its["at most"] for its in memory.values())
    print_table(
        "memory of a process that trains on them, GiB",
        ["", *LAYOUTS],
        [[when, *(f"{memory[layout][when]:.2f}" for layout in LAYOUTS)] for when in memory["list"]],
        [f"{'within' if most <= GOAL else 'OVER'} the goal of {GOAL} GiB"],
    )
    values = {layout: {what: list(spread.values) for what, spread in its.items()} for layout, its in seconds.items()}
    write_json(
        options.json, {"files": options.files, "size": options.size, "seconds": values, "memory": memory, "goal": GOAL, **about}
    )


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--files", type=int, default=100_000, metavar="N", help="number of pictures (default 100,000)")
    made.add_argument("--size", type=int, default=32, metavar="N", help="size in pixels at which they are stored (default 32)")
    made.add_argument("--rounds", type=int, default=5, metavar="N", help="repetitions of all but 'add, first' (default 5)")
    made.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.files < 2 * CLASSES or min(options.size, options.rounds) < 1:
        made.error(f"--files must be at least {2 * CLASSES:,} (two per class), and --size and --rounds at least 1")
    return options


if __name__ == "__main__":
    main()
