"""The files that a trial leaves beside its record on request: its predictions and its trained network."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lt_core.predictions import Kept
from lt_core.predictions import save as save_predictions
from lt_core.side_file import PREDICTIONS, WEIGHTS, SideFile
from lt_core.spec import TrialSpec
from lt_core.stages.base import Stage
from lt_core.trained import save as save_weights
from lt_core.training.evaluate import Evaluation
from lt_core.training.runtime import Runtime


def left_beside(
    spec: TrialSpec, runtime: Runtime, stage: Stage, test: Evaluation, validation: Evaluation | None
) -> dict[str, str]:
    """Write the files that ``runtime`` asks for.

    Args:
        stage: the last one, which has the network.
        test, validation: evaluations of that network.

    Returns:
        Name of a kind of file → SHA-256, as the record's environment keeps them.
    """

    def predictions(path: Path) -> str:
        return save_predictions(path, Kept(test.predictions(), validation.predictions() if validation else None))

    return {
        **_left(PREDICTIONS, runtime.predictions, spec.trial_id, predictions),
        **_left(WEIGHTS, runtime.weights, spec.trial_id, partial(save_weights, spec, stage)),
    }


def _left(kind: SideFile, folder: str | None, trial_id: str, save: Callable[[Path], str]) -> dict[str, str]:
    """The entry of a file that ``save`` writes to ``folder``. A full disk costs the file, not the trial."""
    if not folder:
        return {}
    path = kind.path(folder, trial_id)
    try:
        return {kind.name: save(path)}
    except OSError as error:
        warnings.warn(f"no {kind.name} are written to {path}: {error}", stacklevel=2)
        return {}
