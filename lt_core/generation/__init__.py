"""Images of one class made of images of another."""

from lt_core.generation.cyclegan import CycleGAN, CycleGANConfig, fixed
from lt_core.generation.pictures import pictures
from lt_core.generation.translation import Translation, TranslatorTraining, filled, smaller_to_fill, to_pixels, to_signed

__all__ = [
    "CycleGAN",
    "CycleGANConfig",
    "Translation",
    "TranslatorTraining",
    "filled",
    "fixed",
    "pictures",
    "smaller_to_fill",
    "to_pixels",
    "to_signed",
]
