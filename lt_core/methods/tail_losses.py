"""Losses, a head and weights that treat the tail differently: SEQL, CDT, label-aware smoothing, large margins, influence."""

from lt_core.declaration import Neutral, method

method(
    "seql", "tail_losses", "images of other classes do not suppress rare classes (softmax equalisation loss)",
    "Tan et al. 2020, CVPR, Eq. 8 to 10",
    loss="seql", space=("seql_gamma",), neutral=Neutral({"seql_gamma": 0.0}),
)  # fmt: skip
method(
    "cdt", "tail_losses", "logits divided by class-dependent temperatures in training", "Ye et al. 2020, arXiv 2001.01385",
    loss="cdt", space=("cdt_gamma",), neutral=Neutral({"cdt_gamma": 0.0}),
)  # fmt: skip
method(
    "label_aware_smoothing", "tail_losses", "more label smoothing for larger classes (LAS of MiSLAS)",
    "Zhong et al. 2021, CVPR, section 3.2",
    loss="label_aware_smoothing", space=("smooth_head", "smooth_tail"), neutral=Neutral({"smooth_head": 0.0, "smooth_tail": 0.0}),
)  # fmt: skip
method(
    "large_margin_softmax", "margin", "angle to the correct class multiplied by m (L-Softmax)", "Liu et al. 2016, ICML",
    head="large_margin", space=("lm_margin",), neutral=Neutral({"head": "linear"}),  # at m = 1 it still lacks the bias
)  # fmt: skip
method(
    "influence_balanced", "reweighting", "deferred weights by the inverse influence of each image (IB)",
    "Park et al. 2021, ICCV, Eq. 10",
    weights="influence", ib_alpha=1000.0, ib_gradient="through", ib_rate=0.01, schedule="deferred", defer=0.5,
    space=("ib_alpha",), neutral=Neutral({"defer": 1.0}),
)  # fmt: skip
