"""A recording of a step without a GPU: every operation is put on a tape, and run again on the same memory.

Whatever the host decided during the recording stays as it was, as in a CUDA graph. A method whose step must not be recorded
therefore ends with other weights than without a recording, or is caught when it reads a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lt_core.testing.gpu_rules import READS, masked
from lt_core.training import replay
from lt_core.training.replay import Recording


class Tape(TorchDispatchMode):
    """Records while it is entered. It also runs the operations, so the first replay does nothing; a CUDA graph runs them then."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.done: list[tuple[Any, Sequence[Any], Mapping[str, Any], list[Tensor]]] = []
        self.fresh = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READS or masked(func, args):
            raise RuntimeError(f"{func} reads a number from the device, which a recorded step must not")
        out = func(*args, **(kwargs or {}))
        view = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        if not view:
            self.done.append((func, args, kwargs or {}, _tensors(out)))
        return out

    def replay(self) -> None:
        if self.fresh:
            self.fresh = False
            return
        with torch._C._AutoDispatchBelowAutograd():
            for func, args, kwargs, outs in self.done:
                for before, now in zip(outs, _tensors(func(*args, **kwargs)), strict=True):
                    if before.data_ptr() != now.data_ptr():
                        before.copy_(now)


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def tape(body: Callable[[], None], generators: Sequence[Generator], earlier: Recording | None) -> Tape:
    """A `lt_core.training.replay.Recorder` for tensors on a CPU."""
    made = Tape()
    with made, _capturing():
        body()
    return made


@contextmanager
def _capturing():  # type: ignore[no-untyped-def]
    """In this block torch believes that a CUDA graph is being captured, so that optimisers refuse what they refuse then."""
    stream = SimpleNamespace(is_capturing=lambda: True)
    with (
        patch.object(torch.accelerator, "current_accelerator", lambda *always, **how: torch.device("cuda")),
        patch.object(torch.accelerator, "current_stream", lambda *which: stream),
    ):
        yield


@contextmanager
def recording_on_cpu(eager_steps: int = replay.EAGER_STEPS):  # type: ignore[no-untyped-def]
    """Trainings that are made in this block record their steps, if they may, after ``eager_steps`` of each kind."""
    from lt_core.training import loop

    with patch.object(loop, "recorder_for", lambda device: tape), patch.object(replay, "EAGER_STEPS", eager_steps):
        yield
