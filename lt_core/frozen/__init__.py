"""Pretrained backbones that are not trained further: their features, computed once and cached, take the place of images.

The code that computes and reads features (`lt_core.frozen.features`) knows all labels of a set, and is not exported here.
"""

from lt_core.frozen.label import Frozen
from lt_core.pretrained import BACKBONES, BackboneInfo

__all__ = ["BACKBONES", "BackboneInfo", "Frozen"]
