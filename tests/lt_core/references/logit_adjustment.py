"""Methods that add the class prior to the logits in the loss, or remove it from the predictions."""

from __future__ import annotations

import math

import torch

from tests.lt_core.references.base import Case, Reference, agree
from tests.lt_core.references.cross_entropy import OBJECTIVE
from tests.lt_core.references.ours import objective_agrees, part_of
from tests.lt_core.references.scalars import cross_entropy, mean_of

LA = "google-research/google-research logit_adjustment/main.py, utils.py @ ccc94ce"
BALMS = "jiawei-ren/BalancedMetaSoftmax-Classification loss/BalancedSoftmaxLoss.py @ 34a61e4"
EPSILON = (
    "The code adds 1e-12 to π^τ before it takes the logarithm, and ours does not.",
    "No class of a training subset is empty, and the difference is smaller than the tolerance.",
)


def adjusted(case: Case, tau: float):  # type: ignore[no-untyped-def]
    """−log softmax(z + log(π^τ + 1e-12))_y."""
    shift = [math.log((n / sum(case.counts)) ** tau + 1e-12) for n in case.counts]
    return lambda row, y: cross_entropy([z + s for z, s in zip(row, shift, strict=True)], y)


def predicted(case: Case, method: str, tau: float, theirs: list[list[float]]) -> None:
    """Compare the class probabilities after the method's correction."""
    posthoc, loss = (part_of(method, group, {"posthoc_tau": tau}) for group in ("posthoc", "loss"))
    ours = posthoc.probabilities(case.logits, loss, torch.tensor(case.counts, dtype=torch.float64))
    agree(ours, theirs, f"probabilities of {method}, τ {tau}, {case}")


def normalised(masses: list[float]) -> list[float]:
    return [m / sum(masses) for m in masses]


def check_logit_adjusted(case: Case) -> None:
    for tau in (0.5, 1.0, 2.0):
        objective_agrees(case, "logit_adjusted", mean_of(adjusted(case, tau)), {"tau": tau})


def check_posthoc(case: Case) -> None:
    for tau in (0.5, 1.0, 2.0):
        shift = [math.log((n / sum(case.counts)) ** tau + 1e-12) for n in case.counts]
        moved = [[z - s for z, s in zip(row, shift, strict=True)] for row in case.logits.tolist()]
        predicted(case, "logit_adjusted_posthoc", tau, [normalised([math.exp(z - max(row)) for z in row]) for row in moved])


def check_threshold_moving(case: Case) -> None:
    for tau in (0.5, 1.0):
        prior = [n / sum(case.counts) for n in case.counts]
        said = [normalised([math.exp(z - max(row)) for z in row]) for row in case.logits.tolist()]
        predicted(
            case, "threshold_moving", tau, [normalised([p / q**tau for p, q in zip(row, prior, strict=True)]) for row in said]
        )


def check_balanced_softmax(case: Case) -> None:
    logs = [math.log(n) for n in case.counts]
    formula = mean_of(lambda row, y: cross_entropy([z + s for z, s in zip(row, logs, strict=True)], y))
    objective_agrees(case, "balanced_softmax", formula)


REFERENCES = (
    Reference("logit_adjusted", LA, f"{OBJECTIVE}, at τ = 0.5, 1 and 2", check_logit_adjusted, (EPSILON,)),
    Reference("logit_adjusted_posthoc", LA, "the class probabilities at τ = 0.5, 1 and 2", check_posthoc, (EPSILON,)),
    Reference(
        "threshold_moving",
        "no public code for networks of this kind; Buda et al. 2018, section 3.3: p(c|x)/π_c",
        "the class probabilities at τ = 0.5 and 1",
        check_threshold_moving,
    ),
    Reference("balanced_softmax", BALMS, OBJECTIVE, check_balanced_softmax),
)
