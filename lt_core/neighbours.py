"""The nearest neighbours of every point among thousands of points with a thousand features each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_BLOCK = 1024  # points whose products with as many others stay in a processor's cache
#: Times √width·ε, more than the rounding errors of a product of that many terms add up to (Higham and Mary 2019, SIAM Journal on
#: Scientific Computing, section 3); times ε, more than those of a sum in pairs.
_FACTOR = 8


def nearest(points: np.ndarray, count: int) -> np.ndarray:
    """Each point itself and the ``count`` − 1 others that are nearest to it.

    They are those that scikit-learn finds, in less than half the time: distances are computed in float32, and only once for each
    pair. Where this leaves open which points they are, scikit-learn decides. It may name an equal point before the point itself.

    Args:
        points: float [N, width].
        count: from 1 to N.

    Returns:
        Positions, int64 [N, count]: the point itself, and then the others in no particular order.

    >>> nearest(np.array([[0.0], [1.0], [1.5], [9.0]]), 2).tolist()
    [[0, 1], [1, 2], [2, 1], [3, 2]]
    """
    from sklearn.neighbors import NearestNeighbors

    found, sure = _in_float32(torch.from_numpy(points), count)
    positions: np.ndarray = found.numpy()
    if not sure.all():
        unsure = np.flatnonzero(~sure.numpy())
        exact = NearestNeighbors(n_neighbors=count).fit(points).kneighbors(points[unsure], return_distance=False)
        positions[unsure] = [_led_by(int(one), row) for one, row in zip(unsure, exact, strict=True)]
    return positions


def _led_by(one: int, row: np.ndarray) -> np.ndarray:
    """``row`` with ``one`` at its beginning; if it is missing, because many points are equal to it, it replaces the last."""
    return np.array([one, *row[row != one]])[: len(row)]


def _in_float32(points: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Positions [N, count], and whether they are certain, bool [N]."""
    points = (points - points.mean(0)).float()  # smaller numbers have smaller errors
    squares = (points * points).sum(1)
    blocks = list(zip(points.split(_BLOCK), squares.split(_BLOCK), range(0, len(points), _BLOCK), strict=True))
    found = [(one.new_empty(len(one), 0), torch.empty(len(one), 0, dtype=torch.int64)) for one, _, _ in blocks]

    def keep(of: int, distances: Tensor, start: int) -> None:
        """Let the points of block ``of`` keep the nearest of what they have and of the points from ``start`` on."""
        new, columns = distances.topk(min(count + 1, distances.shape[1]), largest=False)
        distances, positions = torch.cat([found[of][0], new], 1), torch.cat([found[of][1], columns + start], 1)
        nearest, order = distances.topk(min(count + 1, distances.shape[1]), largest=False)
        found[of] = nearest, positions.gather(1, order)

    for i, (one, its, start) in enumerate(blocks):
        for j, (other, theirs, their_start) in list(enumerate(blocks))[i:]:
            products = one @ other.T
            away = theirs - 2 * products  # the square of the distance, without that of the point that asks
            if i == j:
                away.fill_diagonal_(-torch.inf)
            else:
                keep(j, its - 2 * products.T, start)
            keep(i, away, their_start)

    distances, positions = torch.cat([block[0] for block in found]), torch.cat([block[1] for block in found])
    longest = squares.max().sqrt()
    error = _FACTOR * torch.finfo(torch.float32).eps * (points.shape[1] ** 0.5 * 2 * squares.sqrt() * longest + longest**2)
    certain = (distances[:, count:] - distances[:, count - 1 : count] > 2 * error[:, None]).all(1)
    return positions[:, :count], certain
