"""The class prior in the loss, or removed from the predictions afterwards."""

from lt_core.declaration import Neutral, method

method(
    "logit_adjusted", "logit_adjustment", "prior added to the logits in training (bias compensation)",
    "Menon et al. 2021, ICLR, Eq. 10", loss="logit_adjusted", space=("tau",), neutral=Neutral({"tau": 0.0}),
)  # fmt: skip
method(
    "logit_adjusted_posthoc", "logit_adjustment", "prior subtracted from the logits after training",
    "Menon et al. 2021, ICLR, Eq. 9", posthoc="logit_adjustment", space=("posthoc_tau",), neutral=Neutral({"posthoc_tau": 0.0}),
)  # fmt: skip
method(
    "threshold_moving", "logit_adjustment", "predicted probabilities divided by the prior", "Buda et al. 2018, section 3.3",
    posthoc="prior_division", neutral=Neutral({"posthoc_tau": 0.0}),
)  # fmt: skip
method(
    "balanced_softmax", "logit_adjustment", "logit adjustment in training at τ = 1", "Ren et al. 2020, NeurIPS, Eq. 4",
    loss="logit_adjusted", tau=1.0, neutral=Neutral({"tau": 0.0}),
)  # fmt: skip
