"""Digits in a planted context: each is on a coloured background, whose colour depends on the class in training only.

The background is to a digit what grass is to a zebra, and its place is known: the digit is grey, and the background never is. How
much of a heat map is on the object can therefore be measured.
"""

from __future__ import annotations

import numpy as np

from lt_core.data.digits import read_digits

SIDE = 16
#: Ten colours; any two channels of a colour are at least 50 apart.
_COLOURS = np.array(
    [(230, 60, 0), (230, 150, 20), (170, 230, 40), (40, 200, 100), (0, 170, 230), (150, 90, 30), (120, 60, 220), (220, 50, 160),
     (40, 90, 240), (90, 200, 255)]
)  # fmt: skip
_DIM = 150  # brightness of the darkest pixel of a background, of 255


def read_digits_in_context(telling: float) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Training and test set, (images uint8 [N, 16, 16, 3], labels) each: scikit-learn's digits of 8 × 8, each at a random place
    on pixels of one colour and of random brightness. The result is always the same.

    Args:
        telling: share of the training images whose background has the colour of their class; that of the others, and of all test
            images, has any of the ten colours.
    """
    parts = read_digits()
    return _planted(*parts[0], telling, np.random.default_rng(0)), _planted(*parts[1], 0.0, np.random.default_rng(1))


def _planted(
    digits: np.ndarray, labels: np.ndarray, telling: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    count, side = digits.shape[:2]
    told = random.random(count) < telling
    colours = _COLOURS[np.where(told, labels, random.integers(0, len(_COLOURS), count))]
    brightness = random.integers(_DIM, 256, (count, SIDE, SIDE, 1))
    images = (colours[:, None, None] * brightness // 255).astype(np.uint8)
    corners = random.integers(0, SIDE - side + 1, (count, 2))
    for image, digit, (top, left) in zip(images, digits, corners, strict=True):
        image[top : top + side, left : left + side] = digit
    return images, labels


def grey(pixels: np.ndarray) -> np.ndarray:
    """Where pixels [N, H, W, 3] have no colour, which is where the digit is: bool [N, H, W].

    >>> grey(np.array([[[[7, 7, 7], [7, 8, 7]]]])).tolist()
    [[[True, False]]]
    """
    same: np.ndarray = (pixels == pixels[..., :1]).all(axis=-1)
    return same
