"""Re-sampling: by itself, with cost-sensitive weights, and deferred."""

from lt_core.declaration import Neutral, method

# A balanced sampler has no parameter that makes it the plain sampler: it is neutral when it never starts.
_NEVER = {"schedule": "deferred", "defer": 1.0}

method(
    "over_sampling", "resampling", "class-balanced sampling with replacement (OS)", "Buda et al. 2018, Neural Networks",
    sampling="class_balanced", neutral=Neutral(_NEVER),
)  # fmt: skip
method(
    "under_sampling", "resampling", "n_min images of each class, sampled again in each epoch (US)",
    "Buda et al. 2018, Neural Networks",
    sampling="under", neutral=Neutral(_NEVER),
)  # fmt: skip
method(
    "os_cs", "resampling", "over-sampling and inverse-frequency weights (OS+CS)", "baseline of Sahoo et al. 2020",
    sampling="class_balanced", weights="inverse", neutral=Neutral(_NEVER),
)  # fmt: skip
method(
    "us_cs", "resampling", "under-sampling and inverse-frequency weights (US+CS)", "baseline of Sahoo et al. 2020",
    sampling="under", weights="inverse", neutral=Neutral(_NEVER),
)  # fmt: skip
method(
    "ce_drs", "resampling", "cross-entropy with deferred re-sampling (DRS)", "Cao et al. 2019, table 2 (CE-DRS)",
    sampling="class_balanced", schedule="deferred", space=("defer",), neutral=Neutral({"defer": 1.0}),
)  # fmt: skip
method(
    "square_root_sampling", "resampling", "classes drawn in proportion to the square root of their size",
    "Kang et al. 2020, ICLR, section 4.1",
    sampling="square_root", neutral=Neutral(_NEVER),
)  # fmt: skip
method(
    "progressive_sampling", "resampling", "progressively balanced sampling, from instance-balanced to class-balanced",
    "Kang et al. 2020, ICLR, Eq. 2",
    sampling="progressive", neutral=Neutral(_NEVER),
)  # fmt: skip
method(
    "reverse_sampling", "resampling", "classes drawn in proportion to the inverse of their size",
    "Zhou et al. 2020, CVPR (BBN), section 4.2",
    sampling="reverse", neutral=Neutral(_NEVER),
)  # fmt: skip
method(
    "easy_ensemble", "resampling", "average of models trained on different balanced subsets (EasyEnsemble)",
    "Liu, Wu and Zhou 2009, IEEE TSMC-B",
    stages="easy_ensemble", space=("members",),
    neutral=Neutral({}, equals="easy_ensemble", reason="each model sees only part of the images, regardless of the number of models"),
)  # fmt: skip
method(
    "balance_cascade", "resampling",
    "like EasyEnsemble, but well-classified images are removed before the next model (BalanceCascade)",
    "Liu, Wu and Zhou 2009, IEEE TSMC-B",
    stages="balance_cascade", space=("members",),
    neutral=Neutral({}, equals="balance_cascade", reason="each model sees only part of the images, regardless of the number of models"),
)  # fmt: skip
