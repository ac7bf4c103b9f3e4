"""Image weights and class rates that are learnt on a balanced meta set."""

from lt_core.declaration import Neutral, method

# These methods have no parameter that gives all images weight one: they are neutral when they never start.
_NEVER = {"schedule": "deferred", "defer": 1.0}

method(
    "meta_weight_net", "meta_learning", "image weights as a function of the loss, learnt on ten extra images per class",
    "Shu et al. 2019, NeurIPS",
    step="meta_weight_net", meta_set="extra", through_weights=True, space=("mwn_lr",), neutral=Neutral(_NEVER),
)  # fmt: skip
method(
    "l2rw", "meta_learning", "image weights from the gradient on ten extra images per class", "Ren et al. 2018, ICML",
    step="l2rw", meta_set="extra", neutral=Neutral(_NEVER),
)  # fmt: skip
# As in the released configurations: stage one uses softmax; stage two has 2,000 steps to stage one's 13,000, starts with a new
# classifier and at stage one's peak rate, and reduces it along a cosine; the meta set consists of all training images, class by
# class (config/CIFAR10_LT/balms_imba200.yaml, main.py).
method(
    "balanced_meta_softmax", "meta_learning",
    "classifier retrained with Balanced Softmax and learnt class rates on a fixed backbone (BALMS)",
    "Ren et al. 2020, NeurIPS, section 3.3",
    stages="crt", stage_one="softmax", kept_norms="training", retrain=0.154, step="meta_sampler", meta_images=0,
    look_ahead="optimizer", loss="logit_adjusted",
    space=("retrain", "retrain_lr", "sampler_lr"), neutral=Neutral({"retrain": 0.0}),
)  # fmt: skip
method(
    "meta_sampler_one_stage", "meta_learning", "Balanced Softmax with learnt class rates in a single training (ours)",
    "based on Ren et al. 2020, NeurIPS, which uses two stages",
    step="meta_sampler", loss="logit_adjusted", space=("sampler_lr",), neutral=Neutral({**_NEVER, "tau": 0.0}),
)  # fmt: skip
