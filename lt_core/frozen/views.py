"""Augmented views of training pictures, made before features are computed; they take the place of a recipe's crop and flip."""

from __future__ import annotations

import numpy as np

#: Increased when the views from 1 on would be made differently.
VERSION = 1
_PAD = 4 / 32  # share of a side, as in the usual crop for CIFAR
_DRAWN = 3  # random numbers for a picture: row and column of the corner, and whether it is flipped


def view_of(pixels: np.ndarray, view: int, first: int = 0) -> np.ndarray:
    """View number ``view`` of each of some pictures that follow one another in their set.

    View 0 is the picture as it is, and view 1 its mirror image. Every other view is a random crop of the picture after padding by
    reflection with 4/32 of its size on each side, mirrored in half of the cases. The crop depends only on the view and on the
    picture's position in the set, so that the views are the same on every machine and in pieces of any size.

    Args:
        pixels: uint8 [n, H, W, channels].
        first: position of the first picture in the set, whose order is that of `lt_core.data.order.canonical`.

    Returns:
        uint8 [n, H, W, channels].

    >>> view_of(np.array([[[[1], [2], [3]]]], np.uint8), 1).ravel().tolist()
    [3, 2, 1]
    """
    if view == 0:
        return pixels
    if view == 1:
        return pixels[:, :, ::-1]
    # RandomState is used because its stream is frozen for ever, while that of a Generator may change with numpy.
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
