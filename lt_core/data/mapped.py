"""Files that are mapped into memory."""

from __future__ import annotations

import mmap

import numpy as np


def let_go(pixels: np.ndarray) -> None:
    """Release a mapped file's pages from this process, whose memory would otherwise include the whole file after an epoch.

    The pages stay in the machine's file cache, so they need not be read again. An array that is not mapped does not change.
    """
    mapped = getattr(pixels, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
