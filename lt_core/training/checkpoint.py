"""A trial's own checkpoint, and the stage that several trials share: written completely or not at all, and ignored if any bit has
changed.

A file contains the SHA-256 of the rest, then the state as written by `torch.save`.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from lt_core.training.runtime import out_of_memory
from lt_core.whole_files import replacing

#: Version of the keys of a state and of their meaning; a file with another version is ignored.
LAYOUT = 2
_DIGEST = 32  # bytes of a SHA-256


@dataclass(frozen=True)
class Origin:
    """Where a training state comes from. It may only be trained further where all of this is the same.

    Attributes:
        trial_id: of the trial, which names the data; what is stored under their name may have changed since.
        kind: the kind of device, from `runtime.kind_of_device`.
        images: the `TrialImages.version` of the images or features.
    """

    trial_id: str
    kind: str
    images: str


def save(path: Path, origin: Origin, state: dict[str, Any]) -> None:
    """Write a state under a temporary name, sync, and rename. If the disk is full, the trial continues without the checkpoint,
    and there is one warning per folder.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        torch.save({**asdict(origin), "layout": LAYOUT, **state}, content)
        with replacing(path, sync=True) as beside, open(beside, "wb") as file:
            file.write(hashlib.sha256(content.getbuffer()).digest())
            file.write(content.getbuffer())
    except (OSError, RuntimeError) as error:  # torch reports a failed write as RuntimeError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        _warn_once(
            path.parent,
            f"checkpoint {path} cannot be written ({reason}); training continues without checkpoints in "
            "this folder until that is resolved",
        )


def read(path: Path) -> dict[str, Any]:
    """The content of a file.

    Raises:
        OSError: it cannot be read.
        ValueError: its content has changed, or contains something that must not be loaded.
    """
    stored = path.read_bytes()
    content = memoryview(stored)[_DIGEST:]
    if hashlib.sha256(content).digest() != stored[:_DIGEST]:
        raise ValueError("its content does not match its digest")
    try:
        # Generator states must stay on the CPU; load_state_dict moves the rest.
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a correct digest does not make a file safe
        if out_of_memory(error):
            raise  # a problem of the trial, not of the file
        raise ValueError(str(error)) from error
    return state


def load(path: Path, origin: Origin) -> dict[str, Any] | None:
    """The stored state; None if there is none of this ``origin``, or if the file is damaged.

    A damaged file is reported and removed. A file of another version is kept.
    """
    try:
        state = read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = f"cannot be read: {error}"
    except ValueError as error:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        reason = f"is damaged and was removed ({error})"
    else:
        if state.get("layout") != LAYOUT:
            ignored = "was written by another version and is ignored"
        elif state["trial_id"] != origin.trial_id:
            return None
        elif state["kind"] != origin.kind:
            ignored = f"was written on {state['kind']} and is ignored on {origin.kind}"
        elif state["images"] != origin.images:
            ignored = "was trained on images or features that have changed since, and is ignored"
        else:
            return state
        _warn_once(
            (path.parent, ignored),
            f"checkpoint {path} {ignored}: the trial starts again from the beginning, as do others with such a file",
        )
        return None
    warnings.warn(f"checkpoint {path} {reason}: the trial starts again from the beginning", stacklevel=2)
    return None


_told: set[object] = set()


def _warn_once(about: object, words: str) -> None:
    """Warn, unless this process has already warned about it: a problem with a disk or a version concerns every trial."""
    if about not in _told:
        _told.add(about)
        warnings.warn(words, stacklevel=3)


@contextmanager
def held(folder: Path, name: str, alone: bool = True) -> Iterator[Path]:
    """The file of a shared stage, for one trial at a time; others wait. The lock of a process that dies is released.

    Args:
        alone: whether this process takes the lock; otherwise it does not wait.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{name}.lock") if alone else nullcontext():
        yield folder / f"{name}.pt"
