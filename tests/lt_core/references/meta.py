"""Methods that learn on a meta set. Their comparisons need networks and steps of their own, which are in
tests/lt_core/test_meta_references.py.
"""

from __future__ import annotations

from tests.lt_core.references.base import Reference

_HELD = "to within 1e-5 of the largest number, in tests/lt_core/test_meta_references.py"
BALMS = "jiawei-ren/BalancedMetaSoftmax-Classification data/MetaSampler.py, run_networks.py @ 34a61e4"
ESTIMATE = (
    "The gradient with respect to the class rates is that of the expected loss, whereas the code's gradient passes through "
    "Gumbel draws.",
    "The code's gradient is on average a multiple of ours if all rates are equal, and it has a drift if they are not.",
)
LENT = (
    "A class without images to spare lends training images to the meta set, whereas the code first takes ten images of each "
    "class out of its pool.",
    "All methods train on the same images here; for CIFAR-10, n_max=4990 leaves out these ten as the code does.",
)

REFERENCES = (
    Reference(
        "meta_weight_net",
        "xjtushujun/Meta-weight-net_class-imbalance meta-weight-net-class-imbalance.py @ 20c3276",
        "the gradient of the meta loss with respect to the weighting function, the step of that function, and the weighted "
        f"loss with its gradient, {_HELD}",
        None,
        deviations=(LENT,),
    ),
    Reference(
        "l2rw",
        "uber-research/learning-to-reweight-examples mnist/reweight.py @ 0b616c9",
        f"the weighted loss and its gradient, {_HELD}",
        None,
        deviations=(
            LENT,
            (
                "The virtual step has the current learning rate; in the code, its rate is one.",
                "The rate makes no difference, because negative weights become zero and the others are scaled to sum to one.",
            ),
        ),
    ),
    Reference(
        "balanced_meta_softmax",
        BALMS,
        f"the gradient of the meta loss with respect to the class rates through a virtual step of the optimiser, {_HELD}",
        None,
        deviations=(
            ESTIMATE,
            (
                "The images of a meta batch are drawn independently, and all classes are equally likely.",
                "The code walks through the classes in shuffled order.",
            ),
            (
                "For meta images, batch norm is in evaluation mode; in the code, it is in training mode.",
                "The meta images then do not change its statistics.",
            ),
            (
                "Each batch is drawn with the current class rates.",
                "The code's loader draws up to eight batches in advance, with older rates.",
            ),
            ("The batch size is that of the recipe.", "In the code, it is 512."),
        ),
    ),
    Reference(
        "meta_sampler_one_stage",
        f"ours, after {BALMS}",
        f"the gradient of the meta loss with respect to the class rates through a gradient step, {_HELD}",
        None,
        deviations=(
            ESTIMATE,
            (
                "The whole network is trained in a single stage.",
                "The code has a second stage that retrains only the classifier, which is balanced_meta_softmax.",
            ),
        ),
    ),
)
