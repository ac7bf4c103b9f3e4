"""Training steps that are recorded once and then replayed, so that the host does not find and launch every operation again.

A step of ResNet-32 has about four hundred operations, and a GPU takes less time for each than the host needs to launch it.
Recorded as one CUDA graph, they follow each other without the host. The same is true of a head on stored features on a CPU, whose
steps are recorded on a tape (`lt_core.training.tape`). A replay repeats the operations on the same memory, with whatever the host
decided during the recording. Steps are therefore replayed only if all their parts promise not to decide anything on the host
(`lt_core.parts.promises`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor, nn

from lt_core.training.tape import on_tape

#: The first steps of each kind run operation by operation, so that libraries make their workspaces and the optimiser its momenta.
EAGER_STEPS = 3


class Recording(Protocol):
    """Operations that were recorded, to be run again on the same memory."""

    def replay(self) -> None:
        """Run the operations."""


class Recorder(Protocol):
    """Makes recordings."""

    def __call__(self, body: Callable[[], None], generators: Sequence[Generator], earlier: Recording | None) -> Recording:
        """Record what ``body`` does to tensors, to be done by the first replay.

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


def recorder_for(device: torch.device, backbone: nn.Module) -> Recorder | None:
    """How steps of a network are recorded on this kind of device; None: they are not, because a recording would save nothing."""
    if device.type == "cuda":
        return cuda_graph
    only_a_head = next(backbone.parameters(), None) is None
    return on_tape if device.type == "cpu" and only_a_head else None


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
