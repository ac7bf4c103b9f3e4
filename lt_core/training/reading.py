"""Which operations tell the host something about values, so that what it does next may depend on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

_aten = torch.ops.aten
#: Operations that tell the host a number, or make a tensor whose size depends on values.
READS = {
    _aten._local_scalar_dense.default, _aten.nonzero.default, _aten.equal.default, _aten.bincount.default,
    _aten.masked_select.default, _aten._unique2.default, _aten.unique_dim.default, _aten.is_nonzero.default,
    _aten.repeat_interleave.Tensor, _aten.unique_consecutive.default, _aten.unique_dim_consecutive.default,
    _aten._unique.default, _aten._linalg_check_errors.default,
}  # fmt: skip
_LOOKING_UP = {_aten.index.Tensor}
PUTTING = {_aten.index_put.default, _aten.index_put_.default, _aten._index_put_impl_.default}
INDEXING = _LOOKING_UP | PUTTING


def reads(func: Any, args: Sequence[Any]) -> bool:
    """Whether this operation is one of `READS` or takes elements by a mask, whose number only the device knows."""
    masked = func in INDEXING and any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1])
    return func in READS or masked
