"""Margin losses on cosines, LDAM and maximum margin, and the hinge loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.lt_core.references.base import Case, Reference
from tests.lt_core.references.cross_entropy import DEFERRED, DRW, OBJECTIVE
from tests.lt_core.references.ours import objective_agrees, switches_on
from tests.lt_core.references.scalars import Batch, Formula, Row, cross_entropy, effective_number, mean_of, total, weighted

MM = "ihaeyong/Maximum-Margin-LDAM losses.py @ e7ed20d"
SETTINGS = ((0.5, 1.1, 30.0), (1.29, 1.528, 19.0))


def margins(counts: list[int], largest: float) -> list[float]:
    """The margins of `LDAMLoss`: n^(−1/4), scaled so that the largest is ``largest``."""
    raw = [1 / math.sqrt(math.sqrt(n)) for n in counts]
    return [m * (largest / max(raw)) for m in raw]


def behind(row: Row, y: int, margin: Tensor | float, scale: float) -> Tensor:
    """Cross-entropy of the scaled cosines after the margin is subtracted from that of the label."""
    return cross_entropy([scale * (z - margin if c == y else z) for c, z in enumerate(row)], y)


def ldam_of(case: Case, largest: float = 0.5, scale: float = 30.0):  # type: ignore[no-untyped-def]
    """LDAM's loss of an image, for the class sizes of the case."""
    of_class = margins(case.counts, largest)
    return lambda row, y: behind(row, y, of_class[y], scale)


def mm_of(case: Case, m: float, gamma: float, scale: float, mixed: bool):  # type: ignore[no-untyped-def]
    """The paper's loss: the margin is exp(−d − γm) on the right side of the decision boundary, and exp(d − m) on the wrong."""
    less = margins(case.counts, 0.5) if mixed else [0.0] * case.classes

    def loss(row: Row, y: int) -> Tensor:
        d = row[y].item() - max(z.item() for c, z in enumerate(row) if c != y)
        own = m - less[y]
        return behind(row, y, math.exp(-d - gamma * own) if d > 0 else math.exp(d - own), scale)

    return loss


def released_mm(m: float, gamma: float, scale: float) -> Formula:
    """`HMMLoss` as released: all images use the column of the first image's label, and a zero replaces the true class."""

    def formula(batch: Batch) -> Tensor:
        losses = []
        for row, y in zip(batch.outputs, batch.labels, strict=True):
            positive = row[batch.labels[0]].item()
            negative = max(0.0 if c == y else z.item() for c, z in enumerate(row))
            right, wrong = max(positive - negative, 0.0), max(negative - positive, 0.0)
            margin = math.exp(-right - m * gamma) * (right > 0) + math.exp(-wrong - m) * (wrong > 0)
            losses.append(behind(row, y, margin, scale))
        return total(losses) / len(losses)

    return formula


def hinge(row: Row, y: int) -> Tensor:
    """max over the other classes of (1 + z_j − z_y), or zero."""
    return max([1 + z - row[y] for c, z in enumerate(row) if c != y] + [torch.zeros((), dtype=torch.float64)], key=Tensor.item)


def check_ldam(case: Case) -> None:
    for largest, scale in ((0.5, 30.0), (0.3, 10.0)):
        formula = mean_of(ldam_of(case, largest, scale))
        objective_agrees(case, "ldam", formula, {"max_margin": largest, "scale": scale}, cosines=True)


def check_deferred(case: Case, method: str, loss, at=None) -> None:  # type: ignore[no-untyped-def]
    switches_on(method, lambda epoch: epoch // 160 == 1)
    objective_agrees(case, method, mean_of(loss), at, epoch=159, cosines=True)
    late = weighted(loss, effective_number(0.9999), by="weights")
    objective_agrees(case, method, late, at, epoch=160, cosines=True)


def check_ldam_drw(case: Case) -> None:
    check_deferred(case, "ldam_drw", ldam_of(case))


def check_mm(case: Case) -> None:
    for m, gamma, scale in SETTINGS:
        at = {"max_margin": m, "mm_gamma": gamma, "scale": scale}
        objective_agrees(case, "mm", mean_of(mm_of(case, m, gamma, scale, False)), at, cosines=True)
        objective_agrees(case, "mm", released_mm(m, gamma, scale), {**at, "released_code": True}, cosines=True)


def check_mm_drw(case: Case) -> None:
    check_deferred(case, "mm_drw", mm_of(case, 0.5, 1.1, 30.0, False))


def check_mm_ldam_drw(case: Case) -> None:
    check_deferred(
        case, "mm_ldam_drw", mm_of(case, 1.29, 1.528, 26.0, True), {"max_margin": 1.29, "mm_gamma": 1.528, "scale": 26.0}
    )


def check_hinge(case: Case) -> None:
    objective_agrees(case, "hinge", mean_of(hinge))


PAPERS_MARGIN = (
    (
        "Each image uses the output of its own label, whereas the code uses the column of the first image's label for the "
        "whole batch.",
        "Ours is the paper's definition. Set released_code=true to compute what the code does; the comparison of mm covers both.",
    ),
    (
        "The search for the hardest negative class leaves out the true class, whereas the code replaces its output by 0.",
        "Ours is the paper's definition; if all other cosines are negative, the code's 0 is the maximum. Set "
        "released_code=true to compute that, too.",
    ),
)

REFERENCES = (
    Reference("ldam", DRW, f"{OBJECTIVE}, with two settings", check_ldam),
    Reference("ldam_drw", DRW, DEFERRED, check_ldam_drw),
    Reference(
        "mm", MM, f"{OBJECTIVE}, for the paper's and for the code's definition, with two settings each", check_mm, PAPERS_MARGIN
    ),
    Reference("mm_drw", MM, DEFERRED, check_mm_drw, PAPERS_MARGIN),
    Reference(
        "mm_ldam_drw", MM, f"{DEFERRED}, with the settings of the authors' public command", check_mm_ldam_drw, PAPERS_MARGIN
    ),
    Reference(
        "hinge",
        "no public code in the repositories of the papers that report this method; Crammer and Singer 2001, section 3: max(0, "
        "max_{j≠y} 1 + z_j − z_y)",
        OBJECTIVE,
        check_hinge,
        deviations=(
            (
                "The classifier is linear with a bias, and has the recipe's weight decay.",
                "The method then differs from softmax only in its loss.",
            ),
        ),
    ),
)
