"""Trials on Ray Tune, on this machine or on an existing cluster.

Tune only decides where and when. The store takes care of resuming, because Tune's own restore forbids a changed grid and can
lose trials. Workers are reused between trials, because a new one costs seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.running import scratch, stopping
from bench.running.backends.base import Interrupted, Job, JobSource, Listener
from bench.running.backends.ray_connect import connect
from bench.running.backends.ray_driver import RETRIES, hub_for, scheduler_for, searcher_for
from bench.running.backends.ray_loop import tune_changed
from bench.running.backends.ray_trial import packed, trainable
from bench.running.backends.ray_watch import watched
from lt_core.errors import UserError, in_a_line

T = TypeVar("T")


@dataclass
class RayTune:
    """The backend that lets Ray Tune schedule trials. Resources are those of one trial."""

    address: str | None = None  # of a cluster to join; None: a Ray of our own on this machine
    cpus: float = 1
    gpus: float | None = None  # None: one for each of its processes, where the cluster has any
    verbose: bool = False
    processes: int = 1  # that train a trial together
    on_gpu: bool = False  # whether the user asked for trials to be computed on one

    def workers(self) -> int:
        self._connect()
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = self._gpus(nodes)
        if self.on_gpu and not gpus:
            raise UserError("--device cuda needs a GPU, but no machine of this Ray cluster has one: use --device cpu")
        fits = [
            int(min(node.get("CPU", 0) / self.cpus, node.get("GPU", 0) / gpus if gpus else float("inf")) + 1e-9) for node in nodes
        ]
        if not sum(fits):
            most = max(node.get("CPU", 0) for node in nodes), max(node.get("GPU", 0) for node in nodes)
            raise UserError(
                f"each trial needs {self.cpus:g} CPUs and {gpus:g} GPUs, but no machine has more than {most[0]:g} CPUs and "
                f"{most[1]:g} GPUs: lower --cpus-per-trial or --gpus-per-trial"
                + (", or --processes-per-trial, each of which takes a whole GPU" if self.processes > 1 and gpus else "")
            )
        return sum(fits)

    def gpus_there(self) -> float:
        """GPUs of all machines."""
        self._connect()
        import ray

        return float(ray.cluster_resources().get("GPU", 0))

    def on_a_gpu(self, work: Callable[..., T], *given: Any) -> T | None:
        """``work(*given)``, in a process with a GPU to itself, on any machine; None if no machine has one.

        Raises:
            UserError: ``work`` raised it, or its process died.
        """
        if not self.gpus_there():
            return None
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            done: T = ray.get(ray.remote(num_gpus=1, num_cpus=self.cpus, max_calls=1)(work).remote(*given))
        except RayTaskError as failed:
            raise failed.cause from None  # as it was raised: Ray's own error holds the whole traceback as its message
        except RayError as failed:
            raise UserError(f"the process that measured the GPU died ({in_a_line(failed)}): run the command again") from None
        return done

    def run(self, jobs: Sequence[Job] | JobSource, listener: Listener) -> None:
        try:
            with stopping.one_stop(), stopping.waited_for():
                left = self._run(jobs, listener)
        except KeyboardInterrupt:
            raise Interrupted from None
        if left:
            raise Interrupted

    def _run(self, jobs: Sequence[Job] | JobSource, listener: Listener) -> bool:
        """As `run`; returns whether anything is left to do."""
        self._connect()
        import ray
        from ray import tune

        gpus = self._gpus([node["Resources"] for node in ray.nodes() if node["Alive"]])
        if isinstance(jobs, Sequence):  # Tune sees them all, and a cluster can grow with them
            space, asking = {"job": tune.grid_search([packed(job, gpus, listener.wants_progress) for job in jobs])}, {}
        else:
            searcher = searcher_for(jobs, gpus, listener.wants_progress)
            space, asking = {}, {"search_alg": searcher, "num_samples": -1, "max_concurrent_trials": self.workers()}
        with scratch.scratch() as folder, watched() as watch:
            hub = hub_for(listener, watch)
            tuner = tune.Tuner(
                tune.with_resources(trainable(), {"cpu": self.cpus, "gpu": gpus}),
                param_space=space,
                tune_config=tune.TuneConfig(reuse_actors=True, scheduler=scheduler_for(hub), **asking),
                run_config=tune.RunConfig(
                    name="trials",
                    storage_path=str(folder / "tune"),
                    verbose=1 if self.verbose else 0,
                    callbacks=[hub],
                    failure_config=tune.FailureConfig(max_failures=RETRIES),
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # trials keep their own
                ),
            )
            try:
                with tune_changed():
                    tuner.fit()
            except Exception:
                if hub.error is None:
                    raise
        if hub.error is not None:
            raise hub.error
        if isinstance(jobs, Sequence):
            return bool({job.spec.trial_id for job in jobs} - hub.ended)
        return not jobs.over()

    def _gpus(self, nodes: Sequence[dict[str, float]]) -> float:
        """GPUs per trial, on a cluster of these ``nodes``."""
        if self.gpus is not None:
            return self.gpus
        return float(self.processes) if any(node.get("GPU", 0) for node in nodes) else 0.0

    def _connect(self) -> None:
        connect(self.address, self.cpus, self.gpus, self.verbose)
