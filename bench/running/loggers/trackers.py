"""TensorBoard, MLflow and Weights & Biases. Nothing leaves this machine unless the user's environment names a server."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.running.loggers.base import Begun, TrialLog, logger, not_installed
from bench.running.loggers.listening import INTERRUPTED
from lt_core.errors import UserError, in_a_line
from lt_core.result import OK


@logger("tensorboard")
class TensorBoard:
    """Event files in the run's folder, with one folder per trial, for ``tensorboard --logdir``.

    They are written by tensorboardX, which Ray Tune requires.
    """

    def __init__(self, run: Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise not_installed("tensorboard", "tensorboardX") from None
        self._writer, self._folder = SummaryWriter, run / "tensorboard"

    def begin(self, trial: Begun) -> TrialLog:
        name = re.sub(r"[^\w.=,\[\]-]+", "_", trial.name)[:150]  # a file name; the ID distinguishes trials with the same name
        return _Events(self._writer(str(self._folder / f"{name}_{trial.trial_id}"), flush_secs=10), trial)


class _Events:
    def __init__(self, writer: Any, trial: Begun) -> None:
        self._writer, self._trial = writer, trial

    def point(self, epoch: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(f"curve/{name}", value, epoch)

    def end(self, status: str, cause: str, figures: Mapping[str, float]) -> None:
        from tensorboardX.summary import hparams

        results = {f"result/{name}": value for name, value in figures.items()}
        for name, value in results.items():
            self._writer.add_scalar(name, value)
        for summary in hparams({**self._trial.parameters, "status": status}, results):
            self._writer.file_writer.add_summary(summary)
        self._writer.close()


@logger("mlflow")
class MLflow:
    """The tracking server that ``MLFLOW_TRACKING_URI`` names, or else a database in the run's folder.

    The experiment is ``MLFLOW_EXPERIMENT_NAME``, or else the name of the run. A trial is one run in it, tagged with its ID.
    """

    def __init__(self, run: Path) -> None:
        try:
            from mlflow import MlflowClient
        except ImportError:
            raise not_installed("mlflow", "mlflow") from None
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it reports each table of a new database
        place = run.resolve()
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.name
        try:
            self._client = MlflowClient(tracking_uri=uri or f"sqlite:///{place / 'mlflow.db'}")
            found = self._client.get_experiment_by_name(name)
            files = None if uri else (place / "mlflow").as_uri()  # where files of trials would go, but we log none
            self._experiment = found.experiment_id if found else self._client.create_experiment(name, artifact_location=files)
        except Exception as error:
            raise UserError(f"--logger mlflow cannot use {uri or place / 'mlflow.db'} ({in_a_line(error)})") from None

    def begin(self, trial: Begun) -> TrialLog:
        from mlflow.entities import Param

        known = self._client.search_runs([self._experiment], f"tags.trial_id = '{trial.trial_id}'", max_results=1)
        if known:
            self._client.update_run(known[0].info.run_id, status="RUNNING")
            return _Run(self._client, known[0].info.run_id)
        made = self._client.create_run(self._experiment, run_name=trial.name, tags={"trial_id": trial.trial_id})
        self._client.log_batch(made.info.run_id, params=[Param(key, str(value)) for key, value in trial.parameters.items()])
        return _Run(self._client, made.info.run_id)


class _Run:
    def __init__(self, client: Any, run_id: str) -> None:
        self._client, self._run_id = client, run_id

    def point(self, epoch: int, figures: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self._run_id, metrics=[Metric(name, value, now, epoch) for name, value in figures.items()])

    def end(self, status: str, cause: str, figures: Mapping[str, float]) -> None:
        self.point(0, {f"result/{name}": value for name, value in figures.items()})
        self._client.set_tag(self._run_id, "status", status)
        if cause:
            self._client.set_tag(self._run_id, "cause", cause)
        how = {OK: "FINISHED", INTERRUPTED: "KILLED"}.get(status, "FAILED")
        self._client.set_terminated(self._run_id, how)


@logger("wandb")
class WandB:
    """Weights & Biases, offline unless ``WANDB_MODE=online``: ``wandb sync`` uploads what was written to the run's folder.

    The project is ``WANDB_PROJECT``, or else the name of the run. Neither code nor facts about this machine are recorded.
    """

    def __init__(self, run: Path) -> None:
        try:
            import wandb
        except ImportError:
            raise not_installed("wandb", "wandb") from None
        self._init, self._run = wandb.init, run
        self._mode = os.environ.get("WANDB_MODE", "offline")
        self._settings = wandb.Settings(
            silent=True, console="off", save_code=False, disable_git=True, disable_job_creation=True, x_disable_meta=True,
            x_disable_stats=True, x_disable_machine_info=True, x_save_requirements=False,
        )  # fmt: skip

    def begin(self, trial: Begun) -> TrialLog:
        return _Tracked(
            self._init(
                project=os.environ.get("WANDB_PROJECT") or self._run.name,
                id=trial.trial_id,
                name=trial.name,
                config=dict(trial.parameters),
                dir=str(self._run),
                mode=self._mode,
                resume="allow" if self._mode == "online" else None,
                reinit="create_new",  # trials run at the same time
                settings=self._settings,
            )
        )


class _Tracked:
    def __init__(self, run: Any) -> None:
        self._run = run

    def point(self, epoch: int, figures: Mapping[str, float]) -> None:
        self._run.log(dict(figures), step=epoch)

    def end(self, status: str, cause: str, figures: Mapping[str, float]) -> None:
        results = {f"result/{name}": value for name, value in figures.items()}
        self._run.summary.update({**results, "status": status, "cause": cause})
        self._run.finish(exit_code=0 if status == OK else 1)
