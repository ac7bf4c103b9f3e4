"""More images for the tail: synthetic, augmented or mixed ones."""

from lt_core.declaration import Neutral, method

method(
    "smote", "synthesis", "every class filled up by SMOTE on pixels", "Chawla et al. 2002, JAIR",
    synthesis="smote", space=("smote_share",), neutral=Neutral({"smote_share": 0.0}),
)  # fmt: skip
method(
    "borderline_smote", "synthesis", "every class filled up by Borderline-SMOTE on pixels", "Han et al. 2005, ICIC",
    synthesis="borderline_smote", space=("smote_share",), neutral=Neutral({"smote_share": 0.0}),
)  # fmt: skip
method(
    "tail_augmentation", "synthesis", "over-sampling with stronger augmentation for rarer classes", "unpublished slides",
    augment="tail", sampling="class_balanced", space=("tail_strength",),
    neutral=Neutral({"tail_strength": 0.0}, equals="over_sampling", reason="augmentation of the tail is combined with over-sampling"),
)  # fmt: skip
method(
    "mixup", "mixing", "mixed images and labels (mixup)", "Zhang et al. 2018, ICLR",
    step="mixup", space=("mix_alpha",), neutral=Neutral({"mix_alpha": 0.0}),
)  # fmt: skip
method(
    "manifold_mixup", "mixing", "mixed hidden features and labels (manifold mixup)", "Verma et al. 2019, ICML",
    step="manifold_mixup", space=("mix_alpha",), neutral=Neutral({"mix_alpha": 0.0}),
)  # fmt: skip
method(
    "remix", "mixing", "mixup in which the label favours the rarer class (Remix)", "Chou et al. 2020, ECCV workshops, Eq. 6",
    step="remix", space=("mix_alpha",), neutral=Neutral({"mix_alpha": 0.0}),
)  # fmt: skip
method(
    "range_loss", "representation", "cross-entropy with compact classes and distant class centres (range loss)",
    "Zhang et al. 2017, ICCV",
    regularizer="range", space=("range_weight",), neutral=Neutral({"range_weight": 0.0}),
)  # fmt: skip
