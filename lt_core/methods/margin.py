"""Margin losses (Cao et al. 2019, NeurIPS)."""

from lt_core.methods.registry import Neutral, method

_PLAIN = {"head": "linear", "max_margin": 0.0, "scale": 1.0}

method(
    "ldam", "margin", "label-distribution-aware margin on cosine logits", "Cao et al. 2019, Eq. 13",
    loss="ldam", head="cosine", space=("max_margin", "scale"), neutral=Neutral(_PLAIN),
)  # fmt: skip
method(
    "ldam_drw", "margin", "LDAM with deferred re-weighting", "Cao et al. 2019, algorithm 1",
    loss="ldam", head="cosine", weights="effective_number", schedule="deferred", space=("max_margin", "cb_beta"),
    neutral=Neutral({**_PLAIN, "defer": 1.0}),
)  # fmt: skip
