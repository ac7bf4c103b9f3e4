"""Where a trained classifier looks: heat maps of pictures, and scores for the maps. All are functions of a network and pictures.

explainable ──► places (the layer with its map of the picture) ──► kinds: heat [B, H, W] ──► scores
"""

from lt_core.explain import gradcam, gradient, rise  # noqa: F401  (they register)
from lt_core.explain.base import EXPLANATIONS, Explainable, Explanation, Softmaxed, explanation

__all__ = ["EXPLANATIONS", "Explainable", "Explanation", "Softmaxed", "explanation"]
