"""Losses. Importing this package registers all of them."""

from lt_core.losses import cross_entropy, margin, tail
from lt_core.losses.base import Loss, LossFn

__all__ = ["Loss", "LossFn", "cross_entropy", "margin", "tail"]
