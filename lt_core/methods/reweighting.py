"""Cost-sensitive training: weights by class frequency, from the start or deferred."""

from lt_core.declaration import Neutral, method

method(
    "inverse", "reweighting", "weights by inverse class frequency", "baseline of Cui et al. 2019 and Cao et al. 2019",
    weights="inverse", power=1.0, neutral=Neutral({"power": 0.0}),
)  # fmt: skip
method(
    "inverse_sqrt", "reweighting", "weights by the inverse square root of class frequency", "Mahajan et al. 2018, ECCV",
    weights="inverse", power=0.5, neutral=Neutral({"power": 0.0}),
)  # fmt: skip
method(
    "ce_drw", "reweighting", "cross-entropy with deferred re-weighting (DRW)", "Cao et al. 2019, table 2 (CE-DRW)",
    weights="effective_number", mean="weights", schedule="deferred", space=("cb_beta", "defer"), neutral=Neutral({"defer": 1.0}),
)  # fmt: skip
