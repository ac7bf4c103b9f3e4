"""Peak memory of one trial: ResNet-32 on CIFAR-10-LT at imbalance factor 100, one epoch and its evaluation.

With --data the trial is a real one (run_trial, recipe cifar_ldam with epochs=1), which reads decoded images from the cache; the
cache is filled first if necessary. With --decode the trial also decodes them, as the first trial on a machine does. Without
--data, noise of the same shape goes through the same loop for a few steps, which needs the same memory except for the image
files. The figure is the peak resident memory (ru_maxrss) of a fresh process that does nothing else. The goal is 1.5 GiB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import cpus, machine, parser, peak_gib, print_table, write_json

# This process does not import torch, because the kernel counts what a child shares with its parent before it starts its program.
GOAL = 1.5


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Train and evaluate in this process: its memory in GiB after the imports and at its peak, and the machine."""
    from lt_core.training.runtime import Runtime

    runtime = Runtime(data_dir=options.data, device=options.device, threads=cpus())
    device = runtime.torch_device()
    imported = _peak()
    if options.data:
        status, images, steps = _real(runtime)
    else:
        status, images, steps = _noise(runtime, options.steps)
    peak = _peak()  # before `machine`, which imports more
    about = {**machine(device.type), "images": images, "steps": steps, "status": status}
    if device.type == "cuda":
        import torch

        about["device_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return {"ours": peak, "imports": imported, **about}


def _real(runtime: Any) -> tuple[str, str, int]:
    from dataclasses import replace

    from noise import DATA

    from lt_core.methods import resolve
    from lt_core.recipes import RECIPES
    from lt_core.spec import TrialSpec
    from lt_core.training import run_trial

    recipe = replace(RECIPES["cifar_ldam"], epochs=1)
    result = run_trial(TrialSpec(DATA, resolve("softmax"), recipe), runtime)
    return f"{result.status} {result.cause}".strip(), "cifar10", -(-sum(result.train_counts) // recipe.batch_size)


def _noise(runtime: Any, steps: int) -> tuple[str, str, int]:
    from noise import TEST_COUNT, noise_spec, noise_split

    from lt_core.training.evaluate import evaluate
    from lt_core.training.loop import Training

    runtime.prepare()
    device = runtime.torch_device()
    split = noise_split(device, test_count=TEST_COUNT)
    spec = noise_spec(1)
    spec = noise_spec(steps * spec.recipe.batch_size)
    training = Training(spec, split, device)
    training.run_epoch()
    evaluate(training, split.test)
    return "ok", "noise", steps


def _peak() -> float:
    """The peak resident memory of this process in GiB."""
    return peak_gib(resource.getrusage(resource.RUSAGE_SELF))


def child(arguments: list[str], **environment: str) -> dict[str, Any]:
    """`measured` in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        command = [sys.executable, __file__, *arguments, "--child", "--json", str(told)]
        done = subprocess.run(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            sys.exit(f"{done.stdout}\nthe trial's process failed")
        facts = json.loads(told.read_text())
    if facts["status"] != "ok":
        sys.exit(f"the trial ended as {facts['status']}")
    return facts


def main() -> None:
    options = arguments()
    if options.child:
        write_json(options.json, measured(options))
        return
    passed = ["--device", options.device, "--steps", str(options.steps), *(["--data", options.data] if options.data else [])]
    if options.decode:
        with tempfile.TemporaryDirectory() as cache:
            facts = child(passed, LT_CACHE=cache)
    else:
        if options.data:
            fill_cache(options.data)
        facts = child(passed)
    print_table(
        f"peak memory of one trial, ResNet-32, {facts['steps']} steps on {facts['images']} ({facts['device_name']})",
        ["", "GiB"],
        [
            ["after imports", f"{facts['imports']:.2f}"],
            ["at most", f"{facts['ours']:.2f}"],
            *([["on the device", f"{facts['device_gib']:.2f}"]] if "device_gib" in facts else []),
            ["goal", f"{GOAL:.2f}"],
        ],
        ["within the goal" if facts["ours"] <= GOAL else "OVER THE GOAL"],
    )
    write_json(
        options.json, {"ours": facts["ours"], "goal": GOAL, "ratio": GOAL / facts["ours"], **facts, "decode": options.decode}
    )


def fill_cache(data: str) -> None:
    """Decode the images in a process of its own, so that the measured process finds them decoded."""
    code = "import sys; from lt_core.data.sources import load_set; load_set('cifar10', sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, data], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(done.stdout.strip().splitlines()[-1])


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--data", metavar="DIR", help="folder that contains CIFAR-10 [default: use noise]")
    made.add_argument("--decode", action="store_true", help="with --data: start with an empty cache of decoded images")
    made.add_argument("--device", default="cpu", choices=("auto", "cpu", "cuda"), help="device to train on (default cpu)")
    made.add_argument("--steps", type=int, default=20, metavar="N", help="number of training steps on noise (default 20)")
    made.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.decode and not options.data:
        made.error("--decode needs --data")
    if not 1 <= options.steps <= 96:
        made.error("--steps must be between 1 and 96, the number of whole batches in an epoch")
    return options


if __name__ == "__main__":
    main()
