"""Margin losses on cosines: LDAM, maximum margin; and the hinge."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.lt_core.references.base import Case, Reference
from tests.lt_core.references.cross_entropy import DRW, OBJECTIVE
from tests.lt_core.references.ours import objective_agrees, switches_on
from tests.lt_core.references.scalars import Batch, Formula, Row, cross_entropy, effective_number, mean_of, total, weighted

MM = "ihaeyong/Maximum-Margin-LDAM losses.py @ e7ed20d"
BOTH = f"{OBJECTIVE} before and after epoch 160 of 200; the epoch that switches"
SETTINGS = ((0.5, 1.1, 30.0), (1.29, 1.528, 19.0))


def margins(counts: list[int], largest: float) -> list[float]:
    """n^(−1/4), scaled to ``largest``: `LDAMLoss`."""
    raw = [1 / math.sqrt(math.sqrt(n)) for n in counts]
    return [m * (largest / max(raw)) for m in raw]


def behind(row: Row, y: int, margin: Tensor | float, scale: float) -> Tensor:
    """Cross-entropy of scaled cosines, where the margin is subtracted from the right one."""
    return cross_entropy([scale * (z - margin if c == y else z) for c, z in enumerate(row)], y)


def ldam_of(case: Case, largest: float = 0.5, scale: float = 30.0):  # type: ignore[no-untyped-def]
    """LDAM's loss of an image with the case's class sizes."""
    of_class = margins(case.counts, largest)
    return lambda row, y: behind(row, y, of_class[y], scale)


def mm_of(case: Case, m: float, gamma: float, scale: float, mixed: bool):  # type: ignore[no-untyped-def]
    """The paper's loss: the margin is exp(−d − γm) on the right side of the boundary, exp(d − m) on the wrong one."""
    less = margins(case.counts, 0.5) if mixed else [0.0] * case.classes

    def loss(row: Row, y: int) -> Tensor:
        d = row[y].item() - max(z.item() for c, z in enumerate(row) if c != y)
        own = m - less[y]
        return behind(row, y, math.exp(-d - gamma * own) if d > 0 else math.exp(d - own), scale)

    return loss


def released_mm(m: float, gamma: float, scale: float) -> Formula:
    """`HMMLoss` as released: all images use the column of the first image's label, and a zero hides the true class."""

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
        "each image has its own positive output, where the code takes the column of the first image's label for the whole batch",
        "the paper's definition; released_code=true computes what the code does, and agrees with it as closely",
    ),
    (
        "the true class is left out of the hardest negative, where the code puts 0 in its place",
        "the paper's definition; with negative cosines the code's 0 is the maximum. released_code=true does the same",
    ),
)

REFERENCES = (
    Reference("ldam", DRW, f"{OBJECTIVE}, two settings", check_ldam),
    Reference("ldam_drw", DRW, BOTH, check_ldam_drw),
    Reference("mm", MM, f"{OBJECTIVE}, by the paper and by the code, two settings", check_mm, PAPERS_MARGIN),
    Reference("mm_drw", MM, BOTH, check_mm_drw, PAPERS_MARGIN),
    Reference("mm_ldam_drw", MM, f"{BOTH}, with the settings of the public command", check_mm_ldam_drw, PAPERS_MARGIN),
    Reference(
        "hinge",
        "no public code among that of the papers that print the row; Crammer and Singer 2001, section 3: "
        "max(0, max_{j≠y} 1 + z_j − z_y)",
        OBJECTIVE,
        check_hinge,
        deviations=(
            ("a linear classifier with a bias and weight decay", "the recipe's, so that only the loss differs from softmax"),
        ),
    ),
)
