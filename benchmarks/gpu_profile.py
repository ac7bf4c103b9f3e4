"""Where the time of a replayed step goes on a GPU, and what other settings of the libraries would make of it.

ResNet-32, batches of 128, bfloat16. First the kernels of a replay and the operations that they belong to (shapes included), then
milliseconds a step under each setting. A setting that is faster is a question, not an answer: whether it gives the same
figures twice is told beside it.

    python benchmarks/gpu_profile.py --json profile.json
    python benchmarks/gpu_profile.py --only "as it is" "search" "compiled"
    python benchmarks/gpu_profile.py --dry                                   # on a CPU, and small
"""

from __future__ import annotations

import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from breakdown import synchronise
from common import machine, parser, print_table, write_json
from gpu_speed import recording
from noise import noise_spec, noise_split
from torch import nn
from torch.profiler import ProfilerActivity, profile

from lt_core.testing.trials import weights_of
from lt_core.training.loop import Training
from lt_core.training.runtime import Runtime

STEPS, ROUNDS, PROFILED = 40, 5, 20
Setting = Callable[[], Any]


@contextmanager
def cudnn(**flags: bool) -> Iterator[None]:
    """cuDNN with other flags than ours."""
    before = {name: getattr(torch.backends.cudnn, name) for name in flags}
    for name, value in flags.items():
        setattr(torch.backends.cudnn, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(torch.backends.cudnn, name, value)


@contextmanager
def any_order() -> Iterator[None]:
    """Kernels that may sum in any order."""
    torch.use_deterministic_algorithms(False)
    try:
        with cudnn(deterministic=False):
            yield
    finally:
        torch.use_deterministic_algorithms(True, warn_only=True)


def native_norms() -> Any:
    """Batch norm by torch's own kernels in place of cuDNN's."""
    plain = nn.BatchNorm2d.forward

    def forward(self: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
        with torch.backends.cudnn.flags(enabled=False, deterministic=True):
            return plain(self, x)

    return patch.object(nn.BatchNorm2d, "forward", forward)


def rows_first() -> Any:
    """Images and weights in the order channels, rows, columns."""
    return patch.object(torch, "channels_last", torch.contiguous_format)


def compiled() -> Any:
    """The network through torch.compile."""
    plain = Training.__init__

    def make(self: Training, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        self.model.backbone.forward = torch.compile(self.model.backbone.forward)  # type: ignore[method-assign]

    return patch.object(Training, "__init__", make)


SETTINGS: dict[str, Setting] = {
    "as it is": cudnn,
    "any order": any_order,
    "search": lambda: cudnn(benchmark=True),
    "search, any order": lambda: stacked(any_order, lambda: cudnn(benchmark=True)),
    "norms by torch": native_norms,
    "channels first": rows_first,
    "channels first, search": lambda: stacked(rows_first, lambda: cudnn(benchmark=True)),
    "norms by torch, search": lambda: stacked(native_norms, lambda: cudnn(benchmark=True)),
    "compiled": compiled,
    "compiled, search": lambda: stacked(compiled, lambda: cudnn(benchmark=True)),
}  # fmt: skip


@contextmanager
def stacked(*settings: Setting) -> Iterator[None]:
    """Several settings at once."""
    if not settings:
        yield
        return
    with settings[0](), stacked(*settings[1:]):
        yield


def made(device: torch.device, images: int) -> Training:
    with recording(True, device):
        return Training(noise_spec(images), noise_split(device), device)


def measured(device: torch.device, images: int) -> dict[str, Any]:
    """Milliseconds a step of a recorded training, and whether a second one ends with the same weights."""
    trainings, begun = [made(device, images), made(device, images)], time.perf_counter()
    for one in trainings:
        one.run_epoch()
    synchronise(device)
    warm, times = time.perf_counter() - begun, []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        trainings[0].run_epoch()
        synchronise(device)
        times.append(1000 * (time.perf_counter() - start) / (images // 128))
    for _ in range(ROUNDS):
        trainings[1].run_epoch()
    same = torch.equal(*(weights_of(one.model) for one in trainings))
    return {"ms": sorted(times), "same_twice": same, "seconds_before": warm}


def profiled(one: Training, device: torch.device, images: int, recorded: bool) -> dict[str, Any]:
    """Kernels by name: how many a step, and microseconds a step."""
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
    asked.add_argument("--dry", action="store_true", help="on a CPU, and small")
    asked.add_argument("--only", nargs="*", choices=list(SETTINGS), default=list(SETTINGS))
    asked.add_argument("--no-kernels", action="store_true", help="settings only")
    options = asked.parse_args()
    device = torch.device("cpu" if options.dry else "cuda")
    images = 128 * (5 if options.dry else STEPS)
    Runtime(device=device.type).prepare()
    told: dict[str, Any] = {**machine(device.type), "settings": {}}
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
    for name in options.only:
        try:
            with SETTINGS[name]():
                told["settings"][name] = found = measured(device, images)
            print(name, {k: v if isinstance(v, bool) else [round(x, 3) for x in v] if isinstance(v, list) else round(v, 1)
                         for k, v in found.items()}, flush=True)  # fmt: skip
        except Exception:  # one setting that a machine lacks leaves the others
            print(name, traceback.format_exc(limit=-2), flush=True)
        write_json(options.json, told)
    print_table(
        f"ResNet-32, bfloat16, milliseconds a step on {told['device_name']}",
        ["", "median", "min..max", "images/s", "same twice"],
        [
            [name, f"{f['ms'][ROUNDS // 2]:.2f}", f"{f['ms'][0]:.2f}..{f['ms'][-1]:.2f}", f"{128_000 / f['ms'][ROUNDS // 2]:,.0f}",
             "yes" if f["same_twice"] else "no"]
            for name, f in told["settings"].items()
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
