"""Training steps that a GPU records once and then replays, so that the host does not launch every operation again.

A step of ResNet-32 has about four hundred operations, and each takes less time than the host needs to launch it. Recorded as one
CUDA graph, they follow each other without the host. A replay repeats the operations on the same memory, with whatever the host
decided during the recording. Steps are therefore replayed only if all their parts promise not to decide anything on the host
(`lt_core.parts.Part.captured`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor

#: The first steps of each kind run operation by operation, so that libraries make their workspaces and the optimiser its momenta.
EAGER_STEPS = 3


class Recording(Protocol):
    """Operations that were recorded, to be run again on the same memory."""

    def replay(self) -> None:
        """Run the operations."""


class Recorder(Protocol):
    """Makes recordings."""

    def __call__(self, body: Callable[[], None], generators: Sequence[Generator], earlier: Recording | None) -> Recording:
        """Record what ``body`` does to tensors, without doing it.

        Args:
            generators: all generators that ``body`` uses besides the device's own; a replay continues from their present states.
            earlier: a recording of the same training, which never runs at the same time.
        """


def cuda_graph(body: Callable[[], None], generators: Sequence[Generator], earlier: Recording | None) -> torch.cuda.CUDAGraph:
    """``body`` as a CUDA graph, which shares the memory of the ``earlier`` one, whose contents are no longer needed."""
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    pool = earlier.pool() if isinstance(earlier, torch.cuda.CUDAGraph) else None
    with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
        body()
    return graph


def recorder_for(device: torch.device) -> Recorder | None:
    """How steps are recorded on this kind of device; None: they are not, because on a CPU nothing has to be launched."""
    return cuda_graph if device.type == "cuda" else None


class Replay:
    """Runs the steps of one training: the first ones of each kind operation by operation, then from a recording of that kind."""

    def __init__(self, recorder: Recorder, generators: Sequence[Generator]) -> None:
        self.recorder, self.generators = recorder, generators
        self.seen: dict[Hashable, int]
        self.recorded: dict[Hashable, tuple[Tensor, Recording]]
        self.latest: Recording | None
        self.forget()

    def forget(self) -> None:
        """Record everything again, because steps now use different memory."""
        self.seen, self.recorded, self.latest = {}, {}, None

    def __call__(self, body: Callable[[Tensor], None], positions: Tensor, kind: Hashable) -> None:
        """Run ``body(positions)``. Bodies are of the same ``kind`` if they do the same for equally many positions."""
        self.seen[kind] = self.seen.get(kind, 0) + 1
        if self.seen[kind] <= EAGER_STEPS:
            body(positions)
            return
        if kind not in self.recorded:
            held = positions.clone()
            self.latest = self.recorder(lambda: body(held), self.generators, self.latest)
            self.recorded[kind] = held, self.latest
        held, recording = self.recorded[kind]
        held.copy_(positions)
        recording.replay()
