"""Weights and rates learnt on a balanced meta set."""

from lt_core.methods.registry import Neutral, method

# Nothing in them is a weight of one for all images: they are neutral when they never start.
_NEVER = Neutral({"schedule": "deferred", "defer": 1.0})

method(
    "meta_weight_net", "meta_learning", "image weights as a learnt function of the loss", "Shu et al. 2019, NeurIPS",
    step="meta_weight_net", space=("mwn_lr",), neutral=_NEVER,
)  # fmt: skip
method(
    "l2rw", "meta_learning", "image weights by the meta set's gradient", "Ren et al. 2018, ICML",
    step="l2rw", neutral=_NEVER,
)  # fmt: skip
method(
    "balanced_meta_softmax", "meta_learning", "Balanced Softmax with learnt class rates (BALMS)", "Ren et al. 2020, NeurIPS",
    step="meta_sampler", loss="logit_adjusted", space=("sampler_lr",), neutral=Neutral({"schedule": "deferred", "defer": 1.0, "tau": 0.0}),
)  # fmt: skip
