"""Where and how a trial runs. Nothing here enters its ID."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch

from lt_core.errors import UserError


@dataclass(frozen=True)
class Runtime:
    """How a machine runs a trial."""

    data_dir: str | None = None
    device: str = "auto"  # auto: CUDA if there is one, else CPU
    threads: int = 1  # CPU threads, as many as the CPUs that the scheduler assigned
    checkpoint: str | None = None  # file for the trial's own checkpoint; None: none is written
    stages: str | None = None  # folder of the stages that several trials share; None: each trains its own
    is_stage_one: bool = False  # whether other trials begin with this one's training, which is then one of those stages
    predictions: str | None = None  # folder for the trial's predictions, under its ID; None: they are not kept
    weights: str | None = None  # folder for its trained network, under its ID; None: it is not kept
    checkpoint_every: float = 30.0  # seconds between two checkpoints, so that only long trials write one
    embed: bool = False  # record what is only for viewing: test images by their features, and generated images
    time_limit: float | None = None  # seconds, after which the trial ends with status timeout
    ranks: int = 1  # processes that train the trial together, each on its own GPU if there are any
    rank: int = 0  # number of this process among them
    gpus: float | None = None  # GPUs, or a fraction of one, that the scheduler assigned to the trial; None: unknown

    def torch_device(self) -> torch.device:
        """Raises UserError for a device that the machine lacks."""
        if self.device == "auto":
            return replace(self, device="cuda" if torch.cuda.is_available() else "cpu").torch_device()
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise UserError(f"device {self.device} is not available: use --device cpu")
        if self.device == "cuda" and self.ranks > 1:
            return torch.device("cuda", self.rank)
        return torch.device(self.device)

    def given(self, gpus: float | None) -> Runtime:
        """This runtime for a trial to which ``gpus`` GPUs were assigned; with 0, ``auto`` means the CPU, even if there is a GPU.

        Args:
            gpus: may be a fraction; None if unspecified.
        """
        return replace(self, gpus=gpus, device="cpu" if gpus == 0 and self.device == "auto" else self.device)

    def here(self) -> torch.device:
        """Where this process computes for trials that may run on other machines: their device, or the CPU if it lacks that."""
        no_gpu = self.device.startswith("cuda") and not torch.cuda.is_available()
        return replace(self, device="cpu" if no_gpu else self.device).torch_device()

    def prepare(self) -> None:
        """Set torch's process-wide state, so that a trial gives the same figures whatever ran before it."""
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        _make_repeatable(self.torch_device().type)


def _make_repeatable(kind: str) -> None:
    """Make torch use kernels that give the same bits every time on this kind of device.

    A CPU needs nothing if the number of threads is the same. On a GPU three things leave bits to chance:

    - cuDNN's search times its kernels and takes the fastest, which can differ each time, even among deterministic kernels.
      Its heuristics, which replace the search, depend only on shapes.
    - Sums by atomic additions (scatter_add, index_add, cumsum of floats, gradients of gather): torch has a sorted form of each.
      An operation without one, such as the gradient of reflection padding in CycleGANs, only gives a warning, and the record
      names it (`lt_core.stages.Stages.not_repeatable`).
    - cuBLAS shares its workspace between streams unless it has its own buffers, whose sizes it reads when it is first used.

    Torch would also fill new memory with NaN, to reveal reads of it. This is switched off, because it costs a launch for each
    operation. Convolutions in TF32, torch's default, are deterministic, but are not the float32 that the record states.
    """
    on_gpu = kind == "cuda"
    if on_gpu:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # Like torch.use_deterministic_algorithms, but without importing torch's compiler to make that deterministic too.
    torch.set_deterministic_debug_mode("warn" if on_gpu else "default")


@contextmanager
def drawing_from(seed: int, epoch: int, device: torch.device, rank: int = 0) -> Iterator[None]:
    """In this block, the process's generators, from which layers such as dropout draw, are seeded by ``seed``, ``epoch`` and the
    ``rank`` of a process that has a share of each batch.

    Afterwards the generators are restored, so that a training neither depends on the rest of the process nor affects it.
    """
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        start = int(np.random.SeedSequence([seed, epoch, *([rank] if rank else [])]).generate_state(1, np.uint64)[0]) >> 1
        torch.default_generator.manual_seed(start)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(start)
        yield


@cache
def prefers_bfloat16(kind: str) -> bool:
    """Whether ``precision: auto`` is bfloat16 on this kind of device: a rule, because a timing must not decide a figure's bits.

    GPUs: if they compute in bfloat16. Processors: Intel's with AMX, and AMD's with AVX512-BF16. Intel's with only AVX512-BF16
    train ResNet-32 a quarter slower than in float32, and all others emulate bfloat16. `benchmarks/train_speed.py` measures both
    precisions and reports where the rule is wrong.
    """
    if kind == "cuda":
        answer: bool = torch.cuda.is_bf16_supported(including_emulation=False)
        return answer
    return _cpu_prefers_bfloat16(_cpu_fact("vendor_id"), frozenset(_cpu_fact("flags").split()))


def _cpu_prefers_bfloat16(vendor: str, flags: frozenset[str]) -> bool:
    """The rule for a processor, by what Linux says about it; on other systems nothing is known, which means float32."""
    return "amx_bf16" in flags or (vendor == "AuthenticAMD" and "avx512_bf16" in flags)


@cache
def _cpu_fact(key: str) -> str:
    """The value of ``key`` in /proc/cpuinfo for the first processor; empty if there is no such file or line."""
    try:
        with open("/proc/cpuinfo") as file:
            return next((row.split(":", 1)[1].strip() for row in file if row.split(":", 1)[0].strip() == key), "")
    except OSError:
        return ""


def gpu_is_lost() -> bool:
    """Whether no trial can compute on a GPU in this process any more: after an error inside a kernel, such as an illegal
    address, every further call of CUDA fails with that error. Running out of memory is not such an error.
    """
    if not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError as error:
        return not out_of_memory(error)
    return False


#: Words of errors of other types that mean that memory ran out: from CUDA, the host, cuBLAS and cuDNN, whose version 9 says
#: …_HOST_ALLOCATION_FAILED and …_DEVICE_ALLOCATION_FAILED.
_NO_MEMORY = (
    "out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory", "alloc_failed", "allocation_failed",
)  # fmt: skip


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that the host or a GPU ran out of memory."""
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(said in words for said in _NO_MEMORY)


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """The dtype for autocast, or None for float32; ``auto`` follows `prefers_bfloat16`."""
    if precision == "bfloat16" or (precision == "auto" and prefers_bfloat16(device.type)):
        return torch.bfloat16
    return None


def kind_of_device(precision: str, device: torch.device) -> str:
    """The kind of device and the precision, between which training states must not move, as part of a file name:
    ``cpu-float32``, ``cuda-bfloat16``, ….

    Generators of two kinds of device have different states and draw different numbers, and a trial in two precisions would be
    recorded under the last one. The number of threads changes only the last bits, so a trial can continue with another number.
    """
    return f"{device.type}-{_precision_name(autocast_dtype(precision, device))}"


def _precision_name(dtype: torch.dtype | None) -> str:
    return "bfloat16" if dtype else "float32"


@cache
def device_name(kind: str) -> str:
    """The model name of the GPU or of the processor."""
    if kind == "cuda":
        return torch.cuda.get_device_name()
    return _cpu_fact("model name") or platform.processor() or platform.machine()


def _processor() -> str:
    """Vendor, family and model of the processor, such as ``AuthenticAMD 23/1``; empty if the system does not say. A virtual
    machine may give several generations, whose figures differ, the same `device_name`.
    """
    vendor, family, model = (_cpu_fact(key) for key in ("vendor_id", "cpu family", "model"))
    return f"{vendor} {family}/{model}" if vendor and family and model else ""


def describe(runtime: Runtime, dtype: torch.dtype | None) -> dict[str, Any]:
    """What the figures of a trial may depend on besides its ID, for the record."""
    device = runtime.torch_device()
    return {
        "device": device.type,
        "device_name": device_name(device.type),
        **({"processor": processor} if device.type == "cpu" and (processor := _processor()) else {}),
        "threads": runtime.threads,
        "precision": _precision_name(dtype),
        "torch": str(torch.__version__),  # it is a subclass of str, which would not survive writing and reading a record
        "python": platform.python_version(),
        "host_cpus": os.cpu_count(),
        **({"ranks": runtime.ranks} if runtime.ranks > 1 else {}),
        **({"gpus": gpus} if device.type == "cuda" and (gpus := runtime.gpus or runtime.ranks) != 1 else {}),
    }
