"""Recordings without a GPU: the tape of `lt_core.training.tape` under the conditions of a CUDA graph.

Whatever the host decided during the recording stays as it was, as in a CUDA graph. A method whose step must not be recorded
therefore ends with other weights than without a recording, or is caught when it reads a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import torch
from torch import Generator

from lt_core.training import replay
from lt_core.training.replay import Recording
from lt_core.training.tape import Taped


def tape(body: Callable[[], None], generators: Sequence[Generator], earlier: Recording | None) -> Taped:
    """A `lt_core.training.replay.Recorder` for tensors on a CPU.

    Raises:
        RuntimeError: ``body`` does what must not be recorded.
    """
    with _capturing():
        made = Taped(body)
    if made.refused:
        raise RuntimeError(f"{made.refused}, which a recorded step must not")
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

    with patch.object(loop, "recorder_for", lambda *where: tape), patch.object(replay, "EAGER_STEPS", eager_steps):
        yield
