"""Files that are mapped into memory."""

from __future__ import annotations

import mmap

import numpy as np


def let_go(pixels: np.ndarray) -> None:
    """Have a mapped file's pages count no longer as memory of this process, which else would hold the whole file after an epoch.

    They stay in the machine's cache of files, so that they need not be read again. What is not mapped is left alone.
    """
    mapped = getattr(pixels, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
