"""Methods that learn on a meta set. Their comparisons need networks and steps of their own: see
tests/lt_core/test_meta_references.py.
"""

from __future__ import annotations

from tests.lt_core.references.base import Reference

_HELD = "to 1e-5 in tests/lt_core/test_meta_references.py"
BALMS = "jiawei-ren/BalancedMetaSoftmax-Classification data/MetaSampler.py, run_networks.py @ 34a61e4"
ESTIMATE = (
    "the slope by the rates is that of the expected loss",
    "the code's, through Gumbel draws, is on average a multiple of it at equal rates and has a drift at others",
)
LENT = (
    "a class without images to spare lends training images to the meta set",
    "the code leaves ten images a class out of its pool first, which n_max 4990 does for CIFAR-10",
)

REFERENCES = (
    Reference(
        "meta_weight_net",
        "xjtushujun/Meta-weight-net_class-imbalance meta-weight-net-class-imbalance.py @ 20c3276",
        f"slope of the meta loss by the weighting, its step, value and slope of the weighted loss, {_HELD}",
        None,
        deviations=(LENT,),
    ),
    Reference(
        "l2rw",
        "uber-research/learning-to-reweight-examples mnist/reweight.py @ 0b616c9",
        f"value and slope of the weighted loss, {_HELD}",
        None,
        deviations=(
            LENT,
            ("the virtual step is as long as the current rate, in the code of length one", "only signs and shares count"),
        ),
    ),
    Reference(
        "balanced_meta_softmax",
        BALMS,
        f"slope of the meta loss by the rates through the optimiser's virtual step, {_HELD}",
        None,
        deviations=(
            ESTIMATE,
            ("meta batches are drawn with classes alike", "the code walks through shuffled classes"),
            ("batch norm of meta images is that of evaluation", "so that they leave its statistics alone"),
            ("the rates of a batch are those of now", "the code's loader draws up to eight batches ahead"),
            ("the batch size is the recipe's", "the code's is 512"),
        ),
    ),
    Reference(
        "meta_sampler_one_stage",
        f"ours, after {BALMS}",
        f"slope of the meta loss by the rates through a gradient step, {_HELD}",
        None,
        deviations=(ESTIMATE, ("there is one stage", "the code retrains the classifier alone: balanced_meta_softmax")),
    ),
)
