"""Torch's optimisers without torch's compiler, whose import takes a process as long as the whole training of a small network.

Torch imports its compiler when an optimiser is made, so that the wrappers around some methods can keep it from compiling them.
Nothing here is compiled, so these optimisers have the same methods without the wrappers.
"""

from __future__ import annotations

import inspect
from typing import TypeVar

import torch

T = TypeVar("T", bound=type[torch.optim.Optimizer])
_WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict", "step")


def _uncompiled(optimizer: T) -> T:
    methods = {name: inspect.unwrap(getattr(optimizer, name)) for name in _WRAPPED}
    methods["step"] = torch.no_grad()(methods["step"])  # as the wrapper does, unless for `differentiable`
    return type(optimizer.__name__, (optimizer,), methods)  # type: ignore[return-value]


SGD = _uncompiled(torch.optim.SGD)
Adam = _uncompiled(torch.optim.Adam)
