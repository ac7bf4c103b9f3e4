"""Trainings that make up a trial. Importing this package registers all of them."""

from lt_core.stages import crest, curriculum, decoupling, ensemble, joint
from lt_core.stages.base import Lab, Stages, stage_one, stages_of

__all__ = ["Lab", "Stages", "crest", "curriculum", "decoupling", "ensemble", "joint", "stage_one", "stages_of"]
