"""Where a trial runs. Nothing here enters its id."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from lt_core.errors import UserError


@dataclass(frozen=True)
class Runtime:
    """The machine's side of a trial."""

    data_dir: str | None = None
    device: str = "auto"  # auto: CUDA if there is one, else CPU
    threads: int = 1  # CPU threads; as many as the CPUs that the scheduler gave
    checkpoint: str | None = None  # file for the trial's own checkpoint; None: none is written
    stages: str | None = None  # folder of the stages that several trials share; None: each trains its own
    checkpoint_every: float = 30.0  # seconds between two checkpoints, so that only long trials write one
    embed: bool = False  # keep what is there to look at: test images by their features, images that were made
    time_limit: float | None = None  # seconds, after which the trial ends with status timeout

    def torch_device(self) -> torch.device:
        """Raises UserError for a device that the machine lacks."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise UserError(f"device {self.device} is not there: use --device cpu")
        return torch.device(self.device)

    def prepare(self) -> None:
        """Set what torch keeps for the whole process."""
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        torch.backends.cudnn.benchmark = True


@cache
def native_bfloat16(kind: str) -> bool:
    """Whether the processor computes in bfloat16 itself; emulated, it is slower than float32."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    flags = _cpu_flags()
    return "avx512_bf16" in flags or "amx_bf16" in flags or "bf16" in flags


@cache
def _cpu_flags() -> frozenset[str]:
    try:
        with open("/proc/cpuinfo") as file:
            line = next((row for row in file if row.lower().startswith(("flags", "features"))), "")
    except OSError:
        return frozenset()
    return frozenset(line.split())


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """The dtype to autocast to, or None for float32; ``auto`` is bfloat16 where the processor has it."""
    if precision == "bfloat16" or (precision == "auto" and native_bfloat16(device.type)):
        return torch.bfloat16
    return None


@cache
def device_name(kind: str) -> str:
    """The processor's model name."""
    if kind == "cuda":
        return torch.cuda.get_device_name()
    try:
        with open("/proc/cpuinfo") as file:
            return next(row.split(":", 1)[1].strip() for row in file if row.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def describe(runtime: Runtime, dtype: torch.dtype | None) -> dict[str, Any]:
    """What the figures of a trial may depend on besides its id, for the record."""
    device = runtime.torch_device()
    return {
        "device": device.type,
        "device_name": device_name(device.type),
        "threads": runtime.threads,
        "precision": "bfloat16" if dtype else "float32",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "host_cpus": os.cpu_count(),
    }
