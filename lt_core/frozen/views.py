"""Augmented views of training pictures: what a recipe's crop and flip are to pictures, fixed before features are computed."""

from __future__ import annotations

import numpy as np

#: Raised when the views from 1 on would be made otherwise.
VERSION = 1
_PAD = 4 / 32  # of a side: the usual crop of CIFAR
_DRAWN = 3  # numbers for a picture: row and column of the corner, and whether it is flipped


def view_of(pixels: np.ndarray, view: int, first: int = 0) -> np.ndarray:
    """View number ``view`` of each of some pictures that follow one another in their set.

    View 0 is the picture as it is, view 1 its mirror image, and every other a random crop of the picture padded by reflection
    with 4/32 of its size on each side, mirrored as often as not. What is drawn depends on the picture's position in the set and
    on the view alone, so that the views are the same on every machine and in pieces of any size.

    Args:
        pixels: uint8 [n, H, W, channels].
        first: position of the first of them in the set, whose order is that of `lt_core.data.images.canonical`.

    Returns:
        uint8 [n, H, W, channels].

    >>> view_of(np.array([[[[1], [2], [3]]]], np.uint8), 1).ravel().tolist()
    [3, 2, 1]
    """
    if view == 0:
        return pixels
    if view == 1:
        return pixels[:, :, ::-1]
    # RandomState is used because its stream is frozen for ever; a Generator's may change with numpy.
    drawn = np.random.RandomState(view).random_sample((first + len(pixels), _DRAWN))[first:].T
    pads = [round(side * _PAD) for side in pixels.shape[1:3]]
    padded = np.pad(pixels, [(0, 0), *((pad, pad) for pad in pads), (0, 0)], mode="reflect")
    rows, columns = (
        np.floor(place * (2 * pad + 1)).astype(np.int64)[:, None] + np.arange(side)
        for place, pad, side in zip(drawn, pads, pixels.shape[1:3], strict=False)
    )
    columns = np.where(drawn[2][:, None] < 0.5, columns, columns[:, ::-1])
    made: np.ndarray = padded[np.arange(len(pixels))[:, None, None], rows[:, :, None], columns[:, None, :]]
    return made
