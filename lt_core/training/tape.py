"""Recordings of training steps on a CPU: the operations of a step, without what leads to them.

A step of a linear head on stored features takes one to three milliseconds. A third of them, or more, torch and Python spend on
finding out which operation comes next, although it is the same in every step. A tape notes the operations once (forward, backward
and the optimiser's) and writes them as a Python function with one of them in each line. This function does the same to the same
numbers, so its results are those of the step, to the bit. Convolutions take so long that a recording of them saves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lt_core.training.reading import reads

_FRESH = torch.ops.aten.lift_fresh.default


@dataclass(frozen=True)
class Operation:
    """One operation on a tape: its line of Python, and the names of the values that it uses and makes."""

    func: Any
    line: str
    uses: frozenset[str]
    makes: frozenset[str]

    @property
    def only_views(self) -> bool:
        """Whether this only makes other views of memory, so that it may be left out where nobody uses them."""
        returns = self.func._schema.returns
        return bool(returns) and all(made.alias_info is not None and not made.alias_info.is_write for made in returns)


class Tape(TorchDispatchMode):
    """Notes each operation on tensors while it is entered, and lets it run.

    A value is known by its place in memory, because differentiation hands the same values on as other tensors. The tape holds on
    to all memory until it is gone, so that no place is used twice.

    >>> total, held = torch.zeros(()), torch.tensor([1.0, 2.0])
    >>> with Tape() as tape:
    ...     total += (held * held).sum()
    >>> again = tape.program()
    >>> _ = held.copy_(torch.tensor([3.0, 0.0]))
    >>> again()
    >>> total
    tensor(14.)
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self.refused = ""  # why a repetition would not do what the step does; empty: nothing speaks against it
        self._given: list[Any] = []  # what operations use and none of them made
        self._names: dict[Hashable, str] = {}  # of values, by their place
        self._held: dict[int, torch.UntypedStorage] = {}
        self._made: set[int] = set()  # memory that is held because operations made it

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would import its compiler, which takes seconds, in order to keep it from compiling this mode."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        self.refused = self.refused or _refusal(func, args, kwargs)
        if self.refused or func.namespace == "profiler":
            return func(*args, **kwargs)
        if func is _FRESH:  # a tensor that the step makes of numbers; it may change it in place
            func, args = torch.ops.aten.clone.default, (args[0].clone(),)
        uses: set[str] = set()
        given = [self._written(value, uses) for value in args]
        given += [f"{key}={self._written(value, uses)}" for key, value in kwargs.items()]
        made = func(*args, **kwargs)
        if any(one.layout != torch.strided for one in _tensors(made)):
            self.refused = f"{func} makes a sparse tensor"
            return made
        several = isinstance(made, tuple | list)
        names = [self._result(value) for value in (made if several else [made])]
        targets = ", ".join(name or "_" for name in names) + ("," if several else "")
        call = f"{self._from_outside(func._op)}({', '.join(given)})"
        line = f"{targets} = {call}" if any(names) else call
        self.operations.append(Operation(func, line, frozenset(uses), frozenset(filter(None, names))))
        return made

    def program(self) -> Callable[[], None]:
        """A function that runs the operations again, and lets go of each value after its last use."""
        lines: list[str] = []
        needed: frozenset[str] = frozenset()
        for one in reversed(self.operations):
            if one.only_views and not needed & one.makes:
                continue
            over = sorted((one.uses | one.makes) - needed)
            lines += [f"{' = '.join(over)} = None"] if over else []
            lines.append(one.line)
            needed = (needed - one.makes) | one.uses
        body = "\n        ".join(reversed(lines)) or "pass"
        names = ", ".join(f"given_{number}" for number in range(len(self._given)))
        scope: dict[str, Any] = {}
        exec(f"def bound({names}):\n    def run():\n        {body}\n    return run\n", scope)
        run: Callable[[], None] = scope["bound"](*self._given)
        return run

    def _written(self, value: Any, uses: set[str]) -> str:
        """``value`` in Python; the names of values that operations made are added to ``uses``."""
        if isinstance(value, tuple | list):
            return f"[{', '.join(self._written(one, uses) for one in value)}]"
        if value is None or isinstance(value, int | str) or (isinstance(value, float) and math.isfinite(value)):
            return repr(value)
        if not isinstance(value, Tensor):
            return self._from_outside(value)
        place = _place(value)
        if place not in self._names:
            if place[0] in self._made:
                self.refused = self.refused or "a value changed its shape without an operation"
            self._names[place] = self._from_outside(value)
            self._held[place[0]] = value.untyped_storage()
        name = self._names[place]
        if name.startswith("made"):
            uses.add(name)
        return name

    def _from_outside(self, value: Any) -> str:
        self._given.append(value)
        return f"given_{len(self._given) - 1}"

    def _result(self, value: Any) -> str:
        """The name of a result; empty if it is no tensor or has a name already, because the operation changed it in place."""
        if not isinstance(value, Tensor):
            return ""
        place = _place(value)
        if place in self._names:
            return ""
        if place[0] not in self._held:
            self._held[place[0]] = value.untyped_storage()
            self._made.add(place[0])
        self._names[place] = f"made_{len(self._names)}"
        return self._names[place]


def _place(tensor: Tensor) -> tuple[int, Hashable]:
    """The memory of a tensor, and how it lies there."""
    lies = tensor.storage_offset(), tensor.size(), tensor.stride(), tensor.dtype, tensor.is_conj(), tensor.is_neg()
    return tensor.untyped_storage()._cdata, lies


def _refusal(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Why a step with this operation must not be repeated from a tape; empty if it may."""
    if reads(func, args):
        return f"{func} reads a number from the device"
    if torch.Tag.inplace_view in func.tags:
        return f"{func} changes the shape of a tensor in place"
    if any(one.layout != torch.strided for one in _tensors((args, kwargs))):
        return f"{func} uses a sparse tensor"
    return ""


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


class Taped:
    """A `lt_core.training.replay.Recording` of ``body`` on a tape; of a body that cannot be repeated, the body itself."""

    def __init__(self, body: Callable[[], None]) -> None:
        with Tape() as tape:
            body()
        self.refused = tape.refused
        self.again = body if tape.refused else tape.program()
        self.has_run = True  # while it was recorded

    def replay(self) -> None:
        """Do what ``body`` does."""
        if self.has_run:
            self.has_run = False
        elif self.refused:
            self.again()
        else:
            with torch._C._AutoDispatchBelowAutograd():
                self.again()


def on_tape(body: Callable[[], None], generators: Sequence[Generator], earlier: object) -> Taped:
    """A `lt_core.training.replay.Recorder` for tensors on a CPU, whose generators need no registration."""
    return Taped(body)
