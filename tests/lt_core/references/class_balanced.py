"""Class-balanced losses (Cui et al. 2019), and other class weights that depend on class frequency."""

from __future__ import annotations

from tests.lt_core.references.base import Case, Reference
from tests.lt_core.references.cross_entropy import CB, DEFERRED, DRW, WEIGHTED, focal_loss, sigmoid_loss
from tests.lt_core.references.ours import objective_agrees, switches_on
from tests.lt_core.references.scalars import ImageLoss, cross_entropy, effective_number, inverse, mean_of, weighted

BETAS = (0.9, 0.999, 0.9999)
WITH_WEIGHTS = f"{WEIGHTED}, at β = 0.9, 0.999 and 0.9999"


def check_cb(case: Case, method: str, loss: ImageLoss, at: dict[str, float]) -> None:
    beta = BETAS[case.seed % 3]
    objective_agrees(case, method, weighted(loss, effective_number(beta), by="images"), {"cb_beta": beta, **at})


def check_cb_softmax(case: Case) -> None:
    check_cb(case, "cb_softmax", cross_entropy, {})


def check_cb_sigmoid(case: Case) -> None:
    check_cb(case, "cb_sigmoid", sigmoid_loss, {})


def check_cb_focal(case: Case) -> None:
    gamma = (0.5, 2.0)[case.seed % 2]
    check_cb(case, "cb_focal", focal_loss(gamma), {"gamma": gamma})


def check_inverse(case: Case) -> None:
    objective_agrees(case, "inverse", weighted(cross_entropy, inverse(1.0), by="images"))


def check_inverse_sqrt(case: Case) -> None:
    objective_agrees(case, "inverse_sqrt", weighted(cross_entropy, inverse(0.5), by="images"))


def check_ce_drw(case: Case) -> None:
    switches_on("ce_drw", lambda epoch: epoch // 160 == 1)
    objective_agrees(case, "ce_drw", mean_of(cross_entropy), epoch=159)
    objective_agrees(case, "ce_drw", weighted(cross_entropy, effective_number(0.9999), by="weights"), epoch=160)


REFERENCES = (
    Reference("cb_softmax", CB, WITH_WEIGHTS, check_cb_softmax),
    Reference("cb_sigmoid", CB, WITH_WEIGHTS, check_cb_sigmoid),
    Reference("cb_focal", CB, f"{WITH_WEIGHTS} and at γ = 0.5 and 2", check_cb_focal),
    Reference(
        "inverse",
        "no public code; Cui et al. 2019, section 4: weights proportional to 1/n_c that sum to C",
        WEIGHTED,
        check_inverse,
    ),
    Reference(
        "inverse_sqrt",
        "no public code; Mahajan et al. 2018: the inverse square root of class frequency",
        WEIGHTED,
        check_inverse_sqrt,
        deviations=(
            (
                "We weight the loss, whereas the paper draws images at that rate.",
                "The papers on re-weighting compare with it in this form.",
            ),
        ),
    ),
    Reference(
        "ce_drw",
        DRW,
        DEFERRED,
        check_ce_drw,
        deviations=(
            (
                "The weights come from the effective number of images (β = 0.9999), whereas algorithm 1 of Cao et al. 2019 has "
                "1/n_c.",
                "The authors' public code uses the effective number, too.",
            ),
        ),
    ),
)
