"""Images per second of several trainings at once on one GPU, each in a process of its own. Part of `gpu.py`.

If NVIDIA's MPS is installed, this is measured twice: without it processes take turns on the card, with it their kernels run side
by side. The trainings are the recorded ones of `gpu_speed.py`, and are warmed up before the clock starts.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from common import machine, parser, print_table, write_json
from gpu_settings import settings
from gpu_speed import WARM, training
from noise import COUNTS, noise_spec, noise_split

from lt_core.training.loop import Training
from lt_core.training.runtime import Runtime

NUMBERS = (1, 2, 4, 8, 12)
SECONDS = 3.0
PATIENCE = 120.0  # the most seconds that processes wait for each other


def work(rank: int, numbers: tuple[int, ...], kind: str, images: int, named: str, barrier: Any, told: Any) -> None:
    """Run one of the processes: train at the same time as the others of each turn, and report images per second."""
    device = torch.device(kind)
    Runtime(device=kind).prepare()
    with settings(named):
        train(rank, numbers, training(noise_spec(images), noise_split(device), device), images, barrier, told)


def train(rank: int, numbers: tuple[int, ...], one: Training, images: int, barrier: Any, told: Any) -> None:
    """Train ``one`` in the turns that ``rank`` takes part in."""
    for _ in range(WARM):
        one.run_epoch()
    for number in numbers:
        barrier.wait(PATIENCE)
        if rank < number:
            start, done = time.perf_counter(), 0
            while time.perf_counter() - start < SECONDS:
                one.run_epoch()
                done += images
            told.put((number, done / (time.perf_counter() - start)))
        barrier.wait(PATIENCE)


@contextmanager
def mps() -> Iterator[None]:
    """Let the processes that are started in this block share the card through MPS."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": f"{folder}/pipe", "CUDA_MPS_LOG_DIRECTORY": f"{folder}/log"}
        os.environ |= places
        subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True, timeout=30)
        try:
            yield
        finally:
            subprocess.run(["nvidia-cuda-mps-control"], input="quit\n", text=True, check=False, timeout=30)
            for key in places:
                del os.environ[key]


def measured(numbers: tuple[int, ...], kind: str, images: int, named: str) -> dict[int, float]:
    """Number of processes → images per second of all of them together."""
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(max(numbers)), context.Queue()
    shared = (numbers, kind, images, named, barrier, told)
    workers = [context.Process(target=work, args=(rank, *shared), daemon=True) for rank in range(max(numbers))]
    for worker in workers:
        worker.start()
    rates = dict.fromkeys(numbers, 0.0)
    for _ in range(sum(numbers)):
        number, rate = told.get(timeout=PATIENCE)
        rates[number] += rate
    for worker in workers:
        worker.join(PATIENCE)
    return rates


def main() -> None:
    asked = parser(__doc__)
    asked.add_argument("--dry", action="store_true", help="run a small version on a CPU")
    asked.add_argument("--numbers", nargs="*", type=int, default=NUMBERS, help="numbers of processes to measure")
    asked.add_argument("--setting", default="", metavar="NAMES", help="settings of gpu_settings.py, joined by +")
    asked.add_argument("--mps-only", action="store_true", help="measure only with MPS")
    options = asked.parse_args()
    numbers = tuple(options.numbers)
    kind, numbers, images = ("cpu", (1, 2), 128) if options.dry else ("cuda", numbers, sum(COUNTS))
    shared = kind, images, options.setting
    rates = {} if options.mps_only else {"taking turns": measured(numbers, *shared)}
    print(rates, flush=True)
    about = {**machine(kind), "images": images, "seconds": SECONDS, "setting": options.setting or "ours"}
    write_json(options.json, {**about, "complete": False, "images_per_second": rates})
    if not options.dry and shutil.which("nvidia-cuda-mps-control"):
        try:
            with mps():
                rates["MPS"] = measured(numbers, *shared)
        except Exception as error:  # whether MPS works depends on the machine
            print(f"MPS is installed but does not work: {type(error).__name__} {error}")
    write_json(options.json, {**about, "complete": True, "images_per_second": rates})
    print_table(
        f"ResNet-32, training images/s of all processes together on {about['device_name']}",
        ["processes", *map(str, numbers)],
        [[name, *(f"{rate:,.0f}" for rate in found.values())] for name, found in rates.items()],
    )


if __name__ == "__main__":
    main()
