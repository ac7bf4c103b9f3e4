"""A trial's own checkpoint, and the stage that several trials share: written whole or not at all, ignored if it is not whole."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock


def save(path: Path, trial_id: str, kind: str, state: dict[str, Any]) -> None:
    """Write beside, fsync, rename. A full disk costs the checkpoint, not the trial.

    Args:
        kind: of the device that the state was trained on, as `runtime.kind_of_device` says it.
    """
    beside = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            torch.save({"trial_id": trial_id, "kind": kind, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a failed write as RuntimeError
        beside.unlink(missing_ok=True)
        warnings.warn(f"no checkpoint is written to {path}: {error}", stacklevel=2)


def load(path: Path, trial_id: str, kind: str) -> dict[str, Any] | None:
    """The stored state; None if there is none for this trial and ``kind`` of device, or it cannot be read."""
    try:
        # Generator states must stay on the CPU; load_state_dict moves the rest.
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except Exception as error:
        warnings.warn(f"checkpoint {path} cannot be read and is ignored: {error}", stacklevel=2)
        return None
    if state.get("trial_id") != trial_id:
        return None
    if state.get("kind") != kind:
        stored = state.get("kind", "an unknown kind of device")
        warnings.warn(
            f"checkpoint {path} was written on {stored} and is ignored on {kind}: the trial is trained anew", stacklevel=2
        )
        return None
    return state


@contextmanager
def held(folder: Path, name: str, alone: bool = True) -> Iterator[Path]:
    """The file of a shared stage, for one trial at a time; another waits. A process that dies lets go of it.

    Args:
        alone: whether this process is the one that holds it; else nothing waits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{name}.lock") if alone else nullcontext():
        yield folder / f"{name}.pt"
