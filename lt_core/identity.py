"""What determines a trial's ID besides the values of its spec: the protocol, and the values that stay out of it.

All of this is frozen, because the ID of every stored row depends on it. It is here rather than next to the parts, because IDs
are also computed where no part is loaded. `lt_core.spec.TrialSpec.trial_id` makes the id.
"""

from __future__ import annotations

from typing import Any

#: Counts changes after which an old figure is no longer comparable with a new one. Part of every id.
PROTOCOL = 1

#: Group of parts → the choice that changes nothing. An id leaves these out, so that it survives a new group.
NEUTRAL: dict[str, str] = {
    "loss": "softmax",
    "weights": "none",
    "sampling": "instance",
    "schedule": "always",
    "head": "linear",
    "posthoc": "none",
    "step": "plain",
    "stages": "one",
    "regularizer": "none",
    "synthesis": "none",
    "augment": "none",
}

#: Parameter of a part → the default at which an id leaves it out: it was added later, and the ids of existing records stay valid.
OPTIONAL_IN_ID: dict[str, Any] = {
    "strong_views": 1,
    "strong_augment": "always",
    "align_to": "counts",
    "crest_profile": "counts",
    "gan_patches": "small",
    "focal_on": "cross_entropy",
    "ib_gradient": "stopped",
    "ib_rate": 1.0,
    "kept_norms": "evaluation",
    "through_weights": False,
    "look_ahead": "gradient",
}
