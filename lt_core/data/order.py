"""The order of a set's images, which is the same wherever they came from, and the fingerprint of arrays."""

from __future__ import annotations

import hashlib

import numpy as np


def canonical(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort by label, then by a hash of the pixels, so that a subset seed means the same images from any source."""
    images = np.ascontiguousarray(images, dtype=np.uint8)
    labels = np.asarray(labels, dtype=np.int64)
    digests = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]
    order = sorted(range(len(labels)), key=lambda i: (labels[i], digests[i]))
    return images[order], labels[order]


def fingerprint(*arrays: np.ndarray) -> str:
    """SHA-256 over shape, type and content of the arrays, first sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]
