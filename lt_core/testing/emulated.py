"""An emulated GPU for machines without one: tensors that claim to be on cuda:0, but whose numbers are on the CPU.

It refuses whatever CUDA refuses (tensors on two devices, a generator of another device, NumPy), and counts waits of the host and
uploads by the line of code that caused them. The numbers are those of the CPU to the bit, so that a trial must have the CPU's
figures. It does not show what a GPU's own kernels do: their speed, or the order of their sums.

    >>> import torch
    >>> from lt_core.testing.emulated import emulated_gpu
    >>> with emulated_gpu() as gpu:
    ...     three = torch.ones(3, device="cuda")
    ...     total = float(three.sum())
    >>> total, gpu.costs.total()
    (3.0, 1)
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from lt_core.testing.gpu_rules import Refused, costs, refuse
from lt_core.training.reading import READS

#: Folders of code that the author of a method did not write.
_THEIRS = tuple(f"{Path(file).parent}{os.sep}" for file in (str(torch.__file__), __file__))
GPU, CPU, _META = torch.device("cuda", 0), torch.device("cpu"), torch.device("meta")


class Emulated(Tensor):
    """A tensor on the emulated GPU; ``held`` has its numbers.

    For C++ it is a tensor without memory (meta), because a device that does not exist cannot be used. Autocast therefore leaves
    it as it is, and everything is computed in float32.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]
    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Emulated:
        shell = torch.empty_strided(held.shape, held.stride(), dtype=held.dtype, device=_META)
        made: Emulated = torch.Tensor._make_subclass(cls, shell, False)
        made.held = held
        return made

    device = property(lambda self: GPU)
    is_cuda = property(lambda self: True)

    def __deepcopy__(self, memo: dict[int, Any]) -> Emulated:
        made = Emulated(self.held.detach().clone())
        if getattr(self, "_is_param", False):  # isinstance(…, nn.Parameter) checks this
            made._is_param = True
        memo[id(self)] = made.requires_grad_(self.requires_grad)
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Stored as the tensor that it holds, because checkpoints are read to the CPU."""
        return self.held.detach().__reduce_ex__(protocol)

    def __repr__(self, **how: Any) -> str:  # type: ignore[override]
        return f"{self.held!r} on {GPU}"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return _current[-1].run(func, args, dict(kwargs or {}))


class EmulatedGPU(TorchDispatchMode):
    """Runs the GPU's operations; while it is ``counting``, ``costs`` counts (``wait`` or ``upload``, line, operation)."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.costs: Counter[tuple[str, str, str]] = Counter()
        self.counting = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(func, args, dict(kwargs or {}))

    def note(self, kind: str, name: str) -> None:
        """Count a cost for the current line of our code or of a plug-in file."""
        if self.counting:
            self.costs[kind, _line(), name] += 1

    def run(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run the operation on the tensors that its arguments hold."""
        if "device" in kwargs and kwargs["device"] == _META:  # C++ asks for this device when it sees an emulated tensor
            kwargs["device"] = GPU
        leaves = tree_leaves((args, kwargs))
        if any(isinstance(leaf, Tensor) and not isinstance(leaf, Emulated) and leaf.device == _META for leaf in leaves):
            raise NotImplementedError(f"the emulated GPU lost the numbers of a tensor on the way to {func}")
        inside = [leaf for leaf in leaves if isinstance(leaf, Emulated)]
        asked = kwargs.get("device")
        lands = bool(inside) if asked is None else torch.device(asked).type == "cuda"
        if not inside and not lands:
            return func(*args, **kwargs)
        refuse(func, args, kwargs, _is_emulated)
        for kind in costs(func, args, kwargs, _is_emulated):
            self.note(kind, func._overloadpacket.__name__)
        if asked is not None:
            kwargs["device"] = CPU
        known = {id(one.held): one for one in inside}  # an operation in place returns its argument
        out = func(*tree_map(_held, args), **tree_map(_held, kwargs))
        if inside and func not in READS and any(isinstance(leaf, bool | int | float) for leaf in tree_leaves(out)):
            self.note("wait", func._overloadpacket.__name__)  # it gives the host a number
        return tree_map(lambda value: known.get(id(value), _wrapped(value)), out) if lands else out


_current: list[EmulatedGPU] = []


def _is_emulated(value: Any) -> bool:
    return isinstance(value, Emulated)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, Emulated) else value


def _wrapped(value: Any) -> Any:
    return Emulated(value) if isinstance(value, Tensor) and not isinstance(value, Emulated) else value


def _line() -> str:
    """The innermost line that is neither in torch nor in these files."""
    frame: Any = sys._getframe(1)
    while frame and frame.f_code.co_filename.startswith(_THEIRS):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "unknown"


class _Generator(torch._C.Generator):
    """Draws the same numbers as a generator on the CPU, and remembers the device for which it was made."""

    def __new__(cls, device: Any = "cpu") -> _Generator:
        made = super().__new__(cls)
        made.made_for = torch.device(device)
        return made

    made_for: torch.device
    device = property(lambda self: self.made_for)


class _Calls(TorchFunctionMode):
    """Handles what is decided before an operation is reached: generators, NumPy, and devices that C++ would look for."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, first = dict(kwargs or {}), args[0] if args else None
        if func is torch.device:
            return func(*args, **kwargs)
        if func is Tensor.cuda:
            return args[0].to(GPU)
        if isinstance(first, Emulated):
            if func is Tensor.__format__ and not first.dim():
                return format(first.item(), args[1])
            if func is Tensor.pin_memory:
                raise Refused("cannot pin 'torch.cuda.FloatTensor': only dense CPU tensors can be pinned")
            if func in (Tensor.numpy, Tensor.__array__):
                raise Refused("can't convert cuda:0 device type tensor to numpy: use Tensor.cpu() first")
            if func is Tensor.new_tensor:  # its C++ code asks the driver, like that of torch.tensor below
                return torch.tensor(*args[1:], **{"dtype": first.dtype, **kwargs, "device": CPU}).to(GPU)
            if func in (Tensor.__getitem__, Tensor.__setitem__):
                args = (first, _uploaded(args[1]), *args[2:])
            if func is Tensor.tolist:
                _current[-1].note("wait", "tolist")
                return first.held.tolist()
        there = _META if func is Tensor.to and isinstance(first, Emulated) else GPU
        args, kwargs = tuple(_where(value, there) for value in args), {key: _where(value, there) for key, value in kwargs.items()}
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") == GPU:
            return func(*args, **{**kwargs, "device": CPU}).to(GPU)
        leaves = [*args, *kwargs.values()]
        generator = next((leaf for leaf in leaves if isinstance(leaf, torch._C.Generator)), None)
        if generator is not None:
            tensors = [leaf for leaf in tree_leaves(args) if isinstance(leaf, Tensor)]
            drawn = torch.device(kwargs["device"]) if kwargs.get("device") else tensors[0].device if tensors else CPU
            theirs, name = generator.device.type, getattr(func, "__name__", func)
            if drawn.type != theirs:
                raise Refused(f"{name}: expected a generator of {drawn.type}, found one of {theirs}")
        return func(*args, **kwargs)


def _uploaded(index: Any) -> Any:
    """An index without lists of numbers, from which C++ would make tensors on the device of the indexed tensor, which is meta."""
    if isinstance(index, tuple):
        return tuple(map(_uploaded, index))
    return torch.as_tensor(index).to(GPU) if isinstance(index, (list, np.ndarray)) else index


def _where(value: Any, there: torch.device) -> Any:
    """``value``, or ``there`` if it names the GPU: C++ would ask the driver, and takes an emulated tensor for one on meta."""
    names_gpu = isinstance(value, (str, torch.device)) and str(value).startswith("cuda")
    return there if names_gpu else value


@contextmanager
def emulated_gpu() -> Iterator[EmulatedGPU]:
    """In this block ``cuda`` is a device that works, in float32."""
    overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # so that moving a weight gives another tensor
    gpu = EmulatedGPU()
    _current.append(gpu)
    try:
        with ExitStack() as stack:
            for place, name, value in (
                (torch, "Generator", _Generator),
                (torch.cuda, "is_available", lambda: True),
                (torch.cuda, "device_count", lambda: 1),
                (torch.cuda, "current_device", lambda: 0),
                (torch.cuda, "synchronize", lambda *which: gpu.note("wait", "synchronize")),
                (torch.cuda, "is_bf16_supported", lambda **how: False),
                (torch.cuda, "get_device_name", lambda *which: "an emulated GPU"),
                (torch.cuda, "get_rng_state", lambda *which: torch.get_rng_state()),  # layers draw from the CPU's generator
                (torch.cuda, "set_rng_state", lambda *state: None),
                (torch.cuda, "manual_seed", lambda seed: None),
                (torch.cuda, "device", lambda which: nullcontext()),
                (torch.cuda, "_lazy_init", lambda: None),
                (torch.cuda, "is_current_stream_capturing", lambda: False),  # optimisers ask
                (torch.accelerator, "current_accelerator", lambda *always, **how: None),
                (torch.cuda.amp.common, "amp_definitely_not_available", lambda: False),
            ):
                stack.enter_context(patch.object(place, name, value))
            stack.enter_context(_Calls())
            stack.enter_context(gpu)
            yield gpu
    finally:
        _current.pop()
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)
