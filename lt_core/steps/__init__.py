"""What one optimisation step minimises. Importing this package registers all of them."""

from lt_core.steps import abc, bbn, fixmatch, mean_teacher, meta_sampler, meta_weights, mix, plain, pseudo_label
from lt_core.steps.base import BoundStep, Step

__all__ = [
    "BoundStep", "Step", "abc", "bbn", "fixmatch", "mean_teacher", "meta_sampler", "meta_weights", "mix", "plain", "pseudo_label",
]  # fmt: skip
