"""Which operations a GPU refuses, and which make the host wait for it or upload to it: the rules of the emulated GPU.

An operation is judged before it runs, by its overload in torch and by which of its tensors are on the GPU (see `emulated.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from lt_core.training.reading import INDEXING, PUTTING, reads

_aten = torch.ops.aten
_COPYING = {_aten.copy_.default, _aten.copy.default, _aten._foreach_copy_.default}
#: Operations that do not accept a tensor on the host together with tensors on the GPU, even if it has no dimensions.
_STRICT = {"gather", "scatter", "scatter_add", "index_select", "cat", "stack", "mm", "addmm"}

OnGPU = Callable[[Any], bool]  # whether a tensor is on the GPU


class Refused(RuntimeError):
    """CUDA would refuse this operation."""


def costs(func: Any, args: Sequence[Any], kwargs: dict[str, Any], on_gpu: OnGPU) -> Iterator[str]:
    """``wait`` for each time that the operation makes the host wait, and ``upload`` for each copy from the host to the GPU."""
    if reads(func, args):
        yield "wait"
    elif func is _aten.multinomial.default and not (kwargs.get("replacement") or args[2:3] == (True,)):
        yield "wait"  # it checks that there are enough classes to draw from
    if func in INDEXING:
        yield from ("upload" for i in args[1] if i is not None and not on_gpu(i))
    for source, target in _copies(func, args, kwargs, on_gpu):
        if source != target:
            yield "upload" if target else "wait"


def _copies(func: Any, args: Sequence[Any], kwargs: dict[str, Any], on_gpu: OnGPU) -> Iterator[tuple[bool, bool]]:
    """For each tensor that is copied: whether it is on the GPU, and whether its copy will be."""
    if func is _aten._to_copy.default:
        asked = kwargs.get("device")
        yield on_gpu(args[0]), on_gpu(args[0]) if asked is None else torch.device(asked).type == "cuda"
    elif func in _COPYING:
        targets, sources = (a if isinstance(a, (list, tuple)) else [a] for a in args[:2])
        yield from ((on_gpu(source), on_gpu(target)) for source, target in zip(sources, targets, strict=True))


def refuse(func: Any, args: Sequence[Any], kwargs: dict[str, Any], on_gpu: OnGPU) -> None:
    """Raise `Refused` for tensors on two devices in an operation that needs them on one."""
    name = func._overloadpacket.__name__
    if func in _COPYING or func is _aten._to_copy.default:
        return
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    if func in INDEXING:
        if not on_gpu(args[0]) and any(map(on_gpu, tensors)):
            raise Refused(f"{name}: indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        tensors = [args[0], args[2]] if func in PUTTING else []
    there, here = [t for t in tensors if on_gpu(t)], [t for t in tensors if not on_gpu(t)]
    if there and any(t.dim() or name in _STRICT for t in here):
        raise Refused(f"{name}: expected all tensors to be on the same device, but found cuda:0 and cpu")
