"""Where the time of a replayed step goes on a GPU, and how other settings of the libraries would change it.

The network is ResNet-32, with batches of 128 in bfloat16. First come the kernels of a replay and the operations that they belong
to, with shapes; then milliseconds per step with each setting (`gpu_settings.py`), each in a process of its own. A faster setting
need not be usable, because it may change the weights, so a digest of the weights after the same steps is shown next to it.

    python benchmarks/gpu_profile.py --json profile.json
    python benchmarks/gpu_profile.py --only search search+any_order --no-kernels
    python benchmarks/gpu_profile.py --dry                                   # a small version on a CPU
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
import traceback
from collections import defaultdict
from typing import Any

import torch
from breakdown import synchronise
from common import machine, parser, print_table, write_json
from gpu_settings import settings
from gpu_speed import recording
from noise import noise_spec, noise_split
from torch.profiler import ProfilerActivity, profile

from lt_core.testing.trials import weights_of
from lt_core.training.loop import Training
from lt_core.training.runtime import Runtime

STEPS, ROUNDS = 40, 5
#: The settings to compare; the first, an empty name, is ours.
SETTINGS = ("", "search", "search", "any_order", "search+any_order", "norms_by_torch", "channels_first", "channels_first+search",
            "compiled", "compiled+search")  # fmt: skip


def made(device: torch.device, images: int) -> Training:
    with recording(True, device):
        return Training(noise_spec(images), noise_split(device), device)


def measured(named: str, kind: str, images: int) -> dict[str, Any]:
    """Milliseconds per step of a recorded training with the ``named`` settings, and a digest of its weights afterwards."""
    device = torch.device(kind)
    Runtime(device=kind).prepare()
    with settings(named):
        one, begun = made(device, images), time.perf_counter()
        one.run_epoch()
        synchronise(device)
        warm, times = time.perf_counter() - begun, []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            one.run_epoch()
            synchronise(device)
            times.append(1000 * (time.perf_counter() - start) / (images // 128))
    digest = hashlib.sha256(weights_of(one.model).cpu().numpy().tobytes()).hexdigest()[:8]
    return {"setting": named or "ours", "ms": sorted(times), "weights": digest, "seconds_before": warm}


def profiled(one: Training, device: torch.device, images: int, recorded: bool) -> dict[str, Any]:
    """The kernels of a step: microseconds, number of calls and name of each, and totals."""
    replay = one.replay
    one.replay = replay if recorded else None
    one.run_epoch()
    synchronise(device)
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=kinds, record_shapes=not recorded) as seen:
        one.run_epoch()
        synchronise(device)
    one.replay = replay
    steps = images // 128
    kernels: dict[str, list[float]] = defaultdict(list)
    spans = []
    for event in seen.events():
        if event.device_type == torch.autograd.DeviceType.CUDA:
            kernels[event.name].append(event.time_range.elapsed_us())
            spans.append((event.time_range.start, event.time_range.end))
    top = sorted(((sum(v) / steps, len(v) / steps, name) for name, v in kernels.items()), reverse=True)
    told: dict[str, Any] = {
        "kernels_a_step": sum(map(len, kernels.values())) / steps,
        "kernel_us_a_step": sum(t for t, _, _ in top),
        "span_us_a_step": (max(e for _, e in spans) - min(b for b, _ in spans)) / steps if spans else None,
        "kernels": top,
    }
    if not recorded:
        grouped = seen.key_averages(group_by_input_shape=True)
        rows = [
            (e.self_device_time_total / steps, e.count / steps, e.key, str(e.input_shapes))
            for e in grouped
            if e.self_device_time_total > 0
        ]
        told["operations"] = sorted(rows, reverse=True)[:80]
    return told


def main() -> None:
    asked = parser(__doc__)
    asked.add_argument("--dry", action="store_true", help="run a small version on a CPU")
    asked.add_argument("--only", nargs="*", default=SETTINGS, metavar="NAMES", help="settings to measure, joined by +")
    asked.add_argument("--no-kernels", action="store_true", help="measure the settings only")
    options = asked.parse_args()
    device = torch.device("cpu" if options.dry else "cuda")
    images = 128 * (5 if options.dry else STEPS)
    Runtime(device=device.type).prepare()
    told: dict[str, Any] = {**machine(device.type), "settings": []}
    if not options.no_kernels:
        one = made(device, images)
        one.run_epoch()
        for name, recorded in (("replayed", True), ("each operation", False)):
            told[name] = found = profiled(one, device, images, recorded)
            numbers = {k: round(v, 1) for k, v in found.items() if isinstance(v, float)}
            print(name, numbers)
            for us, count, kernel in found["kernels"][: 45 if recorded else 0]:
                print(f"{us:9.1f} us {count:6.1f} × {kernel[:110]}")
            for us, count, key, shapes in found.get("operations", [])[:40]:
                print(f"{us:9.1f} us {count:6.1f} × {key[:40]:40} {shapes[:90]}")
        write_json(options.json, told)
    for named in options.only:
        with multiprocessing.get_context("spawn").Pool(1) as fresh:
            try:
                told["settings"].append(fresh.apply(measured, (named, device.type, images)))
                print(told["settings"][-1], flush=True)
            except Exception:  # a setting that this machine does not support must not stop the others
                print(named, traceback.format_exc(limit=-2), flush=True)
        write_json(options.json, told)
    middle = ROUNDS // 2
    print_table(
        f"ResNet-32, bfloat16, milliseconds per step on {told['device_name']}",
        ["", "median", "min..max", "images/s", "weights"],
        [
            [f["setting"], f"{ms[middle]:.2f}", f"{ms[0]:.2f}..{ms[-1]:.2f}", f"{128_000 / ms[middle]:,.0f}", f["weights"]]
            for f in told["settings"]
            for ms in [f["ms"]]
        ],
    )


if __name__ == "__main__":
    main()
