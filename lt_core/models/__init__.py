"""Networks: a backbone that gives features, and a head that classifies them."""

from lt_core.models import frozen, heads, published, resnet_cifar, small, wide_resnet  # noqa: F401  (they register)
from lt_core.models.registry import MODELS, Backbone, Net, build_model, check_model, resolved_model, seen_shape

__all__ = ["MODELS", "Backbone", "Net", "build_model", "check_model", "resolved_model", "seen_shape"]
