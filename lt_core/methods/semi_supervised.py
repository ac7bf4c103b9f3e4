"""Methods that also learn from unlabelled images; they need data with a label fraction or an unlabelled set."""

from lt_core.declaration import Neutral, method

_LABELLED = Neutral({"unsup_weight": 0.0})

method(
    "pseudo_label", "semi_supervised", "confident predictions serve as labels of the same view", "Lee 2013, ICML workshops",
    step="pseudo_label", unsup_ratio=1, space=("threshold", "unsup_ratio"), neutral=_LABELLED,
)  # fmt: skip
method(
    "mean_teacher", "semi_supervised", "predictions trained to agree with those of averaged weights",
    "Tarvainen and Valpola 2017, NeurIPS",
    step="mean_teacher", unsup_ratio=1, space=("consistency", "unsup_ratio"), neutral=_LABELLED,
)  # fmt: skip
method(
    "fixmatch", "semi_supervised", "confident predictions on weak views serve as labels of strong views",
    "Sohn et al. 2020, NeurIPS",
    step="fixmatch", strong_augment="fixmatch", space=("threshold", "unsup_ratio"), neutral=_LABELLED,
)  # fmt: skip
method(
    "fixmatch_da", "semi_supervised", "FixMatch with distribution alignment",
    "Berthelot et al. 2020, ICLR; ablation of Wei et al. 2021",
    step="fixmatch", strong_augment="fixmatch", align=1.0, space=("threshold",), neutral=_LABELLED,
)  # fmt: skip

method(
    "abc", "semi_supervised", "FixMatch with an auxiliary classifier that is trained on class-balanced samples (ABC)",
    "Lee et al. 2021, NeurIPS",
    step="abc", head="auxiliary", unsup_ratio=1, strong_views=2, strong_augment="randaugment", space=("threshold", "unsup_ratio"),
    neutral=Neutral({}, equals="", reason="predictions are those of the auxiliary classifier, which cross-entropy does not have"),
)  # fmt: skip

_ONE_GENERATION = {"generations": 1, "unsup_weight": 0.0}

method(
    "self_training", "semi_supervised", "FixMatch in generations that add every pseudo-label",
    "ablation of Wei et al. 2021, CVPR",
    step="fixmatch", strong_augment="crest", stages="crest", rebalance=False, space=("generations",),
    neutral=Neutral(_ONE_GENERATION),
)  # fmt: skip
method(
    "crest", "semi_supervised", "FixMatch in generations that add pseudo-labels, rare classes first (CReST)",
    "Wei et al. 2021, CVPR, section 3.2",
    step="fixmatch", strong_augment="crest", stages="crest", crest_profile="ideal", space=("crest_alpha", "generations"),
    neutral=Neutral(_ONE_GENERATION),
)  # fmt: skip
method(
    "crest_plus", "semi_supervised", "CReST with progressive distribution alignment (CReST+)",
    "Wei et al. 2021, CVPR, section 3.3",
    step="fixmatch", strong_augment="crest", stages="crest", crest_profile="ideal", progressive=True,
    space=("crest_alpha", "generations", "crest_t_min"), neutral=Neutral(_ONE_GENERATION),
)  # fmt: skip
method(
    "bi_sampling", "semi_supervised", "FixMatch, then the classifier retrained on class-balanced samples of both sets",
    "He et al. 2021, arXiv 2106.00209",
    step="fixmatch", unlabelled_sampling="mean", unsup_ratio=1, strong_views=2, strong_augment="randaugment",
    sampling="class_balanced", stages="crt", stage_one="fixmatch[unsup_ratio=1,strong_views=2,strong_augment=randaugment]",
    retrain=0.12, retrain_lr=0.05, space=("retrain", "retrain_lr"),
    neutral=Neutral({"retrain": 0.0, "stage_one": "softmax"}),
)  # fmt: skip
method(
    "bis", "semi_supervised", "a single run that moves from random to class-balanced samples of both sets (BiS)",
    "He et al. 2021, arXiv 2106.00209",
    step="fixmatch", unlabelled_sampling="bis", unsup_ratio=1, strong_views=2, strong_augment="randaugment", sampling="parabolic",
    neutral=Neutral({"unsup_weight": 0.0, "sampling": "instance"}),
)  # fmt: skip
