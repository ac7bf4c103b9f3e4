"""What one optimisation step minimises. Importing this package registers all of them."""

from lt_core.steps import plain
from lt_core.steps.base import BoundStep, Step

__all__ = ["BoundStep", "Step", "plain"]
