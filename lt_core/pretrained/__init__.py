"""Published networks: how they are built, which pictures they expect, and where their weights come from.

Each can be trained as a model (`lt_core.models.published`), or give features that are computed once (`lt_core.frozen`).
torchvision and extra packages are imported only when one of their names is used.
"""

from lt_core.pretrained.info import BackboneInfo, Row
from lt_core.pretrained.registry import BACKBONES

__all__ = ["BACKBONES", "BackboneInfo", "Row"]
