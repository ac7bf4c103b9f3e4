"""Images made by a generator that is trained with the classifier."""

from lt_core.declaration import Neutral, method

_SPACE = ("identity_weight", "cycle_weight", "minority_gamma", "gan_share")
_NOTHING = Neutral({"gan_share": 0.0})

method(
    "joint_aug", "generation",
    "classes filled up with images of the largest class, translated by CycleGANs that are trained first (AUG)",
    "Sahoo et al. 2020, ECCV workshops",
    stages="joint_aug", space=_SPACE, neutral=_NOTHING,
)  # fmt: skip
method(
    "joint_alt", "generation",
    "like joint_aug, but CycleGANs and classifier are trained in turn, and the classification loss also trains the generators (ALT)", "Sahoo et al. 2020, ECCV workshops",
    stages="joint_alt", space=(*_SPACE, "gan_length"), neutral=_NOTHING,
)  # fmt: skip
