"""Losses that ignore class sizes, with which every other method is compared."""

from lt_core.declaration import Neutral, method

method(
    "softmax", "cross_entropy", "softmax cross-entropy, the baseline", "baseline of Cui et al. 2019, table 2",
    neutral=Neutral({}),
)  # fmt: skip
method(
    "sigmoid", "cross_entropy", "sum of binary cross-entropies over sigmoids", "Cui et al. 2019, Eq. 12",
    loss="sigmoid",
    neutral=Neutral({}, equals="sigmoid", reason="one-versus-all binary losses do not equal softmax cross-entropy at any setting"),
)  # fmt: skip
method(
    "focal", "cross_entropy", "focal loss over sigmoids", "Lin et al. 2017, ICCV; Cui et al. 2019, Eq. 13",
    loss="focal", gamma=1.0, space=("gamma",),
    neutral=Neutral({"gamma": 0.0}, equals="sigmoid", reason="a sum over sigmoids; at γ = 0 it is sigmoid cross-entropy"),
)  # fmt: skip
method(
    "focal_softmax", "cross_entropy", "focal loss over softmax, as in many repositories", "kaidic/LDAM-DRW, losses.py",
    loss="focal_softmax", gamma=1.0, space=("gamma",), neutral=Neutral({"gamma": 0.0}),
)  # fmt: skip
