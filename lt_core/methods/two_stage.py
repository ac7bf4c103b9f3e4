"""Two stages: first the features, then the classifier or all weights by another rule. Methods share their stage one."""

from lt_core.declaration import Neutral, method

_ONE_STAGE = Neutral({"retrain": 0.0})

method(
    "crt", "two_stage", "classifier retrained on class-balanced samples with a fixed backbone (cRT)",
    "Kang et al. 2020, ICLR, section 4.2",
    stages="crt", sampling="class_balanced", space=("retrain", "retrain_lr"), neutral=_ONE_STAGE,
)  # fmt: skip
method(
    "lws", "two_stage", "one learnt scale per class on a fixed classifier (LWS)", "Kang et al. 2020, ICLR, section 4.2",
    stages="lws", sampling="class_balanced", space=("retrain", "retrain_lr"), neutral=_ONE_STAGE,
)  # fmt: skip
method(
    "tau_norm", "two_stage", "classifier weights divided by a power of their norm, chosen on the validation split (τ-norm)",
    "Kang et al. 2020, ICLR, Eq. 4", stages="tau_norm",
    neutral=Neutral({}, equals="tau_norm", reason="the normalised classifier has no bias, even at τ = 0"),
)  # fmt: skip
method(
    "ncm", "two_stage", "nearest class mean of the features (NCM)", "Kang et al. 2020, ICLR, section 4.2",
    stages="ncm", neutral=Neutral({}, equals="ncm", reason="class means are not a trained classifier"),
)  # fmt: skip
method(
    "fine_tune_balanced", "two_stage", "all weights trained further on class-balanced samples at a lower learning rate",
    "baseline of Kang et al. 2020 and of Bi-Sampling (He et al. 2021)",
    stages="fine_tune", retrain_lr=0.1, sampling="class_balanced", space=("retrain", "retrain_lr"), neutral=_ONE_STAGE,
)  # fmt: skip
method(
    "fine_tune_logit_adjusted", "two_stage", "all weights trained further with the prior in the loss at a lower learning rate",
    "Menon et al. 2021, ICLR, Eq. 10, as a second stage",
    stages="fine_tune", retrain_lr=0.1, loss="logit_adjusted", space=("retrain", "retrain_lr", "tau"), neutral=_ONE_STAGE,
)  # fmt: skip
method(
    "decoupled_balanced_softmax", "two_stage", "classifier retrained with Balanced Softmax on a fixed backbone",
    "Ren et al. 2020, NeurIPS, section 4",
    stages="crt", loss="logit_adjusted", space=("retrain", "retrain_lr"), neutral=_ONE_STAGE,
)  # fmt: skip
method(
    "smote_features", "two_stage", "classifier retrained on features of classes filled up by SMOTE",
    "Chawla et al. 2002, JAIR, on the features of Kang et al. 2020",
    stages="features", synthesis="smote", space=("retrain", "smote_share"), neutral=_ONE_STAGE,
)  # fmt: skip
method(
    "borderline_smote_features", "two_stage", "classifier retrained on features of classes filled up by Borderline-SMOTE",
    "Han et al. 2005, ICIC, on the features of Kang et al. 2020",
    stages="features", synthesis="borderline_smote", space=("retrain", "smote_share"), neutral=_ONE_STAGE,
)  # fmt: skip
method(
    "bbn", "two_stage", "bilateral-branch network with its cumulative schedule and reversed sampler", "Zhou et al. 2020, CVPR",
    step="bbn", neutral=Neutral({}, equals="bbn", reason="the network has two branches at every setting"),
)  # fmt: skip
method(
    "curriculum", "two_stage", "training starts with the easiest images of every class, as ranked by the loss of a first model",
    "unpublished slides, after Bengio et al. 2009, ICML",
    stages="curriculum", space=("easy", "pace"), neutral=Neutral({"pace": 0.0}),
)  # fmt: skip
