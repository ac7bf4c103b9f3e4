"""Where trials run, and with which resources. Imports very little, because the command line is declared from it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.records import RUNS_DIR
from bench.running.load import threads_beside_others
from bench.suites.selection import refuse_below
from lt_core.errors import UserError, unknown
from lt_core.fields import domains, param

if TYPE_CHECKING:
    from bench.running.backends import Backend
    from lt_core.training.runtime import Runtime

BACKENDS = ("ray", "inline")
#: Value of `keep` → the kinds of files that are kept (names of `lt_core.side_file`).
KEPT = {"predictions": ("predictions",), "weights": ("weights",), "all": ("predictions", "weights")}
AUTO = "auto"


@dataclass(frozen=True)
class Execution:
    """Where and with which resources trials run, and where their records are stored. None of it enters a trial's ID.

    >>> Execution(backend="inline", data="~/images").out
    PosixPath('results/runs')

    Raises:
        UserError: an invalid value, or options that contradict each other.
    """

    backend: str = param("ray", "what schedules trials: Ray Tune, or a simple loop in this process", choices=BACKENDS)
    address: str | None = param(None, "an existing Ray cluster to join, e.g. auto or ray://head:10001")
    cpus_per_trial: float = param(1, "number of CPUs, and therefore threads, per trial", low=0.01)
    gpus_per_trial: float | str | None = param(
        None,
        "number of GPUs per trial, possibly a fraction; auto: measure how many trials should share a GPU [default: one per "
        "process]",
        low=0,
    )
    processes_per_trial: int | None = param(
        None, "number of processes that train each trial together [default: its number of GPUs]", low=1
    )
    device: str = param("auto", "device to train on: auto, cpu or cuda")
    trial_timeout: float | None = param(None, "stop a trial after this time", low=0.001)  # seconds
    fail_fast: bool = param(False, "stop the run when a trial fails")
    checkpoint_every: float = param(30, "interval at which a trial saves a checkpoint", low=0)  # seconds
    data: str | None = param(None, "folder with image sets [default: LT_DATA, or download]")
    out: Path = param(RUNS_DIR, "folder for runs, with one subfolder per suite")
    embed: bool = param(
        False,
        "keep what `plot tsne` and `plot translations` need: features of test images, and generated images, which it scores",
    )
    keep: str | None = param(
        None,
        "what each trial leaves beside its record: log-probabilities of the test set and the validation split, for `priors`; "
        "its trained network, for `explain`, `geometry` and `weights`; or both",
        choices=tuple(KEPT),
    )
    logger: Sequence[str] | None = param(
        None, "also log each trial to tensorboard, mlflow, wandb or a plug-in's logger (see `list loggers`); may be repeated"
    )
    verbose: bool = param(False, "also show Ray's own messages")

    def __post_init__(self) -> None:
        object.__setattr__(self, "out", Path(self.out))
        object.__setattr__(self, "logger", (self.logger,) if isinstance(self.logger, str) else tuple(self.logger or ()))
        object.__setattr__(self, "gpus_per_trial", _number_or_auto(self.gpus_per_trial))
        refuse_below(self)
        check_device(self.device)
        if self.address is not None and not re.fullmatch(r"auto|local|(ray://)?[^\s:/]+:\d+", self.address):
            raise UserError(f"--address must be auto, HOST:PORT or ray://HOST:PORT; got '{self.address}'")
        if self.backend == "inline" and self.address:
            raise UserError("--address names a Ray cluster, but --backend inline does not use Ray: remove one of the two options")
        if self.gpus_per_trial == AUTO and (self.backend == "inline" or (self.processes_per_trial or 1) > 1):
            alone = (
                ("--backend inline runs one trial at a time")
                if self.backend == "inline"
                else "each process of a trial needs a whole GPU"
            )
            raise UserError(f"--gpus-per-trial auto lets several trials share a GPU, but {alone}: omit it")
        if self.gpus_per_trial == 0 and self.device.startswith("cuda"):
            raise UserError(
                f"--device {self.device} needs a GPU, but --gpus-per-trial 0 gives a trial none: remove one of the two options"
            )
        gpus = self._told or 0
        if self.backend == "inline" and 0 < gpus < 1:
            raise UserError(
                f"--gpus-per-trial {gpus:g} lets several trials share a GPU, but --backend inline runs one trial at a time: "
                "omit it"
            )
        if (gpus > 1 and not float(gpus).is_integer()) or (gpus and self.processes not in (1, gpus)):
            raise UserError(
                f"--gpus-per-trial {gpus:g} does not fit {self.processes} processes, each of which needs a whole GPU: request "
                "as many GPUs as processes, or omit --processes-per-trial"
            )
        for key, domain in domains(Execution).items():
            value = getattr(self, key)
            if domain.choices and value is not None and value not in domain.choices:
                raise unknown(key, value, domain.choices)

    @property
    def processes(self) -> int:
        """The number of processes that train a trial together."""
        return self.processes_per_trial or max(1, int(self._told or 0))

    @property
    def _told(self) -> float | None:
        """GPUs per trial, if a number was given."""
        return None if isinstance(self.gpus_per_trial, str) else self.gpus_per_trial

    @property
    def gpus(self) -> float | None:
        """GPUs per trial; None stands for one per process, if there are GPUs."""
        return 0.0 if self._told is None and self.device == "cpu" else self._told

    @property
    def cpus(self) -> float:
        """CPUs per trial: at least one for each of several processes."""
        return max(self.cpus_per_trial, self.processes if self.processes > 1 else 0)

    def runtime(self) -> Runtime:
        """How this machine runs the trials.

        Raises:
            UserError: the device is not available.
        """
        import torch

        there = torch.cuda.device_count()
        if self.address is None and not (there or self._told) and self.processes > (os.cpu_count() or 1):
            raise UserError(
                f"--processes-per-trial {self.processes} needs a processor for each process, but this machine has "
                f"{os.cpu_count()}: lower it"
            )
        if self.backend == "inline" and (self._told or 0) > there:
            raise UserError(f"--gpus-per-trial {self._told:g} needs more GPUs than this machine has ({there}): lower it")
        if self.backend == "inline" and self.gpus is None and 0 < there < self.processes:
            raise UserError(
                f"--processes-per-trial {self.processes} needs one GPU per process, but this machine has {there}: lower it, "
                "or train on CPUs with --device cpu"
            )
        from lt_core.training.runtime import Runtime

        runtime = Runtime(
            data_dir=str(Path(self.data).expanduser().resolve()) if self.data else None,
            device=self.device,
            threads=max(1, int(self.cpus / self.processes)),
            ranks=self.processes,
            checkpoint_every=self.checkpoint_every,
            embed=self.embed,
            time_limit=self.trial_timeout,
        ).given(self._told)
        if self.address is None or not self.device.startswith("cuda"):  # a cluster's GPUs are in other machines
            runtime.torch_device()
        return runtime

    def beside_others(self, runtime: Runtime) -> Runtime:
        """``runtime`` for trials that start now. If this machine is busy with other work, they get one thread each, and a message
        says so.
        """
        if self.address is not None:  # trials run on other machines
            return runtime
        return replace(runtime, threads=threads_beside_others(runtime.threads))

    def scheduler(self) -> Backend:
        """The backend, which has not started anything yet."""
        from bench.running.backends.inline import Inline
        from bench.running.backends.ray_tune import RayTune

        if self.backend == "inline":
            return Inline()
        return RayTune(
            self.address, self.cpus, self.gpus, self.verbose, processes=self.processes, on_gpu=self.device.startswith("cuda")
        )


def check_device(device: str) -> None:
    """Raise an error if ``device`` is not one that trials can be computed on."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise UserError(f"--device must be auto, cpu, cuda, or a numbered GPU such as cuda:1; got '{device}'")


def _number_or_auto(given: float | str | None) -> float | str | None:
    """The value of ``--gpus-per-trial``.

    Raises:
        UserError: neither a number nor auto.
    """
    if not isinstance(given, str) or given == AUTO:
        return given
    try:
        return float(given)
    except ValueError:
        raise UserError(f"--gpus-per-trial must be a number of GPUs, such as 0.25, or auto; got '{given}'") from None
