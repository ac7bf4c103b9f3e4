"""Trainings that make up a trial. Importing this package registers all of them."""

from lt_core.stages import crest, curriculum, decoupling, ensemble, joint
from lt_core.stages.base import Stage, StageContext, Stages, stage_one, stages_of
from lt_core.stages.checking import check_divisible, check_trial

__all__ = [
    "Stage",
    "StageContext",
    "Stages",
    "check_divisible",
    "check_trial",
    "crest",
    "curriculum",
    "decoupling",
    "ensemble",
    "joint",
    "stage_one",
    "stages_of",
]
