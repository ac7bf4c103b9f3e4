"""Class-balanced loss: effective-number weights over three losses (Cui et al. 2019, CVPR)."""

from lt_core.declaration import Neutral, method

_SIGMOIDS = "a sum over sigmoids; at its neutral point it is sigmoid cross-entropy"

method(
    "cb_softmax", "class_balanced", "softmax cross-entropy with effective-number weights", "Cui et al. 2019, Eq. 11",
    weights="effective_number", space=("cb_beta",), neutral=Neutral({"cb_beta": 0.0}),
)  # fmt: skip
method(
    "cb_sigmoid", "class_balanced", "sigmoid cross-entropy with effective-number weights", "Cui et al. 2019, Eq. 12",
    loss="sigmoid", weights="effective_number", space=("cb_beta",),
    neutral=Neutral({"cb_beta": 0.0}, equals="sigmoid", reason=_SIGMOIDS),
)  # fmt: skip
method(
    "cb_focal", "class_balanced", "focal loss with effective-number weights", "Cui et al. 2019, Eq. 13",
    loss="focal", weights="effective_number", gamma=1.0, space=("cb_beta", "gamma"),
    neutral=Neutral({"cb_beta": 0.0, "gamma": 0.0}, equals="sigmoid", reason=_SIGMOIDS),
)  # fmt: skip
