"""Training one trial."""

from lt_core.training.running import Progress
from lt_core.training.runtime import Runtime
from lt_core.training.trial import run_trial, trial_steps

__all__ = ["Progress", "Runtime", "run_trial", "trial_steps"]
