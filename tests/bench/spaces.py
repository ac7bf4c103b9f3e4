"""A tuning space that takes seconds, which the tests of spaces and of studies change."""

from __future__ import annotations

from bench.running.backends.inline import Inline
from bench.running.machines import Machines
from bench.tuning.space import parse_space
from lt_core.training.runtime import Runtime

TINY = {
    "about": "a few seconds",
    "recipe": {"base": "digits", "epochs": 2},
    "data": {"dataset": "digits", "imbalance_factor": 20, "n_max": 60, "validation": 20},
    "trials": 5,
    "fresh_seeds": 2,
    "studies": {
        "cb": {
            "methods": ["cb_softmax", "cb_focal"],
            "space": {"cb_beta": {"low": 0.9, "high": 0.9999, "scale": "complement"}, "gamma": {"low": 0.5, "high": 2}},
            "paper": {"method": "cb_focal", "cb_beta": 0.9999, "gamma": 1},
        },
        "la": {"methods": "logit_adjusted", "space": {"tau": {"low": 0.5, "high": 2, "scale": "log"}}},
    },
}
STUDY = TINY["studies"]["la"]


def space(**changes):
    return parse_space("tiny", {**TINY, **changes})


def inline():
    """The machines of a study that is trained in this process."""
    return Machines(Inline(), Runtime())
