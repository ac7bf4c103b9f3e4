"""Training steps that a GPU records once and then replays, so that the host does not launch every operation again.

A step of ResNet-32 is some four hundred operations, each shorter than the host takes to launch it. Recorded as one CUDA graph,
they follow each other without the host. A replay repeats the operations on the same memory, with whatever the host decided
during the recording. Steps are therefore replayed only if every part of them promises not to decide anything on the host
(`lt_core.parts.Part.captured`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor

#: Steps of each kind that run operation by operation first: libraries make their workspaces, the optimiser its momenta.
EAGER_STEPS = 3


class Recording(Protocol):
    """Operations that were recorded, to be run again on the same memory."""

    def replay(self) -> None:
        """Run them."""


class Recorder(Protocol):
    """Makes recordings."""

    def __call__(self, body: Callable[[], None], generators: Sequence[Generator], earlier: Recording | None) -> Recording:
        """What ``body`` does to tensors, without doing it.

        Args:
            generators: all that ``body`` draws from, besides the device's own; a replay draws from where they stand.
            earlier: a recording of the same training, which never runs at the same time.
        """


def cuda_graph(body: Callable[[], None], generators: Sequence[Generator], earlier: Recording | None) -> torch.cuda.CUDAGraph:
    """``body`` as a CUDA graph, in the memory of the ``earlier`` one, which leaves nothing behind there that is still needed."""
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    pool = earlier.pool() if isinstance(earlier, torch.cuda.CUDAGraph) else None
    with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
        body()
    return graph


def recorder_for(device: torch.device) -> Recorder | None:
    """How steps are recorded on this kind of device; None: they are not, since a CPU has nothing to launch."""
    return cuda_graph if device.type == "cuda" else None


class Replay:
    """Does the steps of one training: the first of each kind operation by operation, then from a recording of that kind."""

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
        """Do ``body(positions)``. Of one ``kind`` are bodies that do the same for other positions, equally many."""
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
