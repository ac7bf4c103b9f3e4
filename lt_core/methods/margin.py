"""Margin losses: LDAM (Cao et al. 2019, NeurIPS), maximum margin (Kang et al. 2021, ICIP), and the hinge loss in their tables."""

# Deferred weights are divided by their sum over the batch, as in the public code of both papers. Weights that sum to C would make
# the mean loss of a batch of randomly drawn images about six times smaller at imbalance factor 100, when the rate is already low.

from lt_core.declaration import Neutral, method

_PLAIN = {"head": "linear", "max_margin": 0.0, "scale": 1.0}

method(
    "ldam", "margin", "label-distribution-aware margin on cosine logits", "Cao et al. 2019, Eq. 13",
    loss="ldam", head="cosine", space=("max_margin", "scale"), neutral=Neutral(_PLAIN),
)  # fmt: skip
method(
    "ldam_drw", "margin", "LDAM with deferred re-weighting", "Cao et al. 2019, algorithm 1",
    loss="ldam", head="cosine", weights="effective_number", mean="weights", schedule="deferred", space=("max_margin", "cb_beta"),
    neutral=Neutral({**_PLAIN, "defer": 1.0}),
)  # fmt: skip

_NO_MARGIN = {"head": "linear", "scale": 1.0, "max_margin": 1e4}  # exp(−m) is 0 in float32

method(
    "mm", "margin", "maximum margin, specific to each image, on cosine logits", "Kang et al. 2021, ICIP (arXiv 2206.05380)",
    loss="mm", head="cosine", space=("max_margin", "mm_gamma", "scale"), neutral=Neutral(_NO_MARGIN),
)  # fmt: skip
method(
    "mm_drw", "margin", "maximum margin with deferred re-weighting", "Kang et al. 2021, ICIP",
    loss="mm", head="cosine", weights="effective_number", mean="weights", schedule="deferred",
    space=("max_margin", "mm_gamma", "scale", "cb_beta"),
    neutral=Neutral({**_NO_MARGIN, "defer": 1.0}),
)  # fmt: skip
method(
    "mm_ldam_drw", "margin", "maximum margin minus LDAM's margin of the class, with deferred re-weighting",
    "Kang et al. 2021 (HMM-LDAM in the public code)",
    loss="mm", mixed=True, head="cosine", weights="effective_number", mean="weights", schedule="deferred",
    space=("max_margin", "mm_gamma", "scale", "cb_beta"), neutral=Neutral({**_NO_MARGIN, "defer": 1.0}),
)  # fmt: skip
method(
    "hinge", "margin", "multi-class hinge", "Crammer and Singer 2001, JMLR; row of Cao et al. 2019, table 2",
    loss="hinge",
    neutral=Neutral({}, equals="hinge", reason="a piecewise linear loss does not equal cross-entropy at any setting"),
)  # fmt: skip
