"""Pretrained backbones that are not trained further: their features, computed once and kept, take the place of images."""

from lt_core.frozen.backbones import BACKBONES, BackboneInfo
from lt_core.frozen.features import FeatureSet, load_features
from lt_core.frozen.label import Frozen

__all__ = ["BACKBONES", "BackboneInfo", "FeatureSet", "Frozen", "load_features"]
