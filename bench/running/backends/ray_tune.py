"""Trials on Ray Tune, on this machine or on an existing cluster.

Tune only decides where and when. The store takes care of resuming, because Tune's own restore forbids a changed grid and can
lose trials. Workers are reused between trials, because a new one costs seconds.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bench.running import scratch, stopping
from bench.running.backends.base import Interrupted, Job, JobSource, Listener
from bench.running.backends.nodes import THEIRS, installed_by_ray, lacking, pinned
from bench.running.backends.ray_start import (
    a_lack_of_memory_survived,
    open_to_strangers,
    out_of_reach,
    ready_workers_taken,
    signals_left_alone,
    with_workers_ready,
)
from bench.running.backends.ray_trial import packed, trainable, unpacked
from bench.running.backends.ray_watch import Watch, watched
from lt_core.errors import UserError, in_a_line
from lt_core.result import LOST, OOM, PRUNED, TrialResult
from lt_core.spec import TrialSpec

T = TypeVar("T")
_RETRIES = 2  # times that a trial is started anew after its worker or node has died
_STARTS = 4  # attempts to start a Ray of our own
_ROOT = Path(__file__).resolve().parents[3]


@dataclass
class RayTune:
    """The backend that schedules. Resources are per trial."""

    address: str | None = None  # of a cluster to join; None: a Ray of our own on this machine
    cpus: float = 1
    gpus: float | None = None  # None: one for each of its processes, where the cluster has any
    verbose: bool = False
    processes: int = 1  # that train a trial together
    on_gpu: bool = False  # trials that were asked to compute on one

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
            UserError: that of ``work``, or its process died.
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
        """As `run`; whether anything is left to do."""
        self._connect()
        import ray
        from ray import tune

        gpus = self._gpus([node["Resources"] for node in ray.nodes() if node["Alive"]])
        if isinstance(jobs, Sequence):  # Tune sees them all, and a cluster can grow with them
            space, asking = {"job": tune.grid_search([packed(job, gpus, listener.wants_progress) for job in jobs])}, {}
        else:
            searcher = _searcher(jobs, gpus, listener.wants_progress)
            space, asking = {}, {"search_alg": searcher, "num_samples": -1, "max_concurrent_trials": self.workers()}
        with scratch.scratch() as folder, watched() as watch:
            hub = _hub(listener, watch)
            tuner = tune.Tuner(
                tune.with_resources(trainable(), {"cpu": self.cpus, "gpu": gpus}),
                param_space=space,
                tune_config=tune.TuneConfig(reuse_actors=True, scheduler=_scheduler(hub), **asking),
                run_config=tune.RunConfig(
                    name="trials",
                    storage_path=str(folder / "tune"),
                    verbose=1 if self.verbose else 0,
                    callbacks=[hub],
                    failure_config=tune.FailureConfig(max_failures=_RETRIES),
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # trials keep their own
                ),
            )
            try:
                with ready_workers_taken(), a_lack_of_memory_survived():
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
        if self.gpus is not None:
            return self.gpus
        return float(self.processes) if any(node.get("GPU", 0) for node in nodes) else 0.0

    @stopping.waited_for()  # Ray neither imports nor starts again in a process where a signal has torn it
    def _connect(self) -> None:
        # Trials are told absolute paths; Tune's own files are of no use to us and its loggers cost time.
        os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
        os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
        os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "600")
        os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # signals are heard by `stopping`
        if self.address is None and "ray" not in sys.modules:  # which reads it as it is imported; Ray 2.60 does it by itself
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        if not self.verbose:
            os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # the newer reporter prints even at verbosity 0
            os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # dumps of a lost node's log: we tell of lost trials
        try:
            import ray
        except ImportError:
            raise UserError(
                "the ray backend needs Ray, which is not installed: use --backend inline, or pip install 'ray[tune]'"
            ) from None
        level = logging.INFO if self.verbose else logging.CRITICAL
        for name in ("ray", "ray.tune", "ray.data", "ray.train"):
            logging.getLogger(name).setLevel(level)
        if ray.is_initialized():
            return
        if self.address is not None:
            _check_address(self.address)
        options: dict[str, Any] = {"log_to_driver": self.verbose, "logging_level": level, "configure_logging": True}
        if self.address is None:
            # Without "local" a stale cluster file makes Ray join a cluster that is gone.
            options |= {"address": "local", "include_dashboard": False, "_temp_dir": str(scratch.ray_folder())}
            scratch.sweep()
            with out_of_reach():
                with_workers_ready(partial(_started, **options), self.cpus, self.gpus)
            return
        # The same code on every node, whatever is installed there.
        modules = {"py_modules": [str(_ROOT / name) for name in ("lt_core", "bench")]}
        try:
            _started(address=self.address, **options)
            versions = pinned()
            more, words = installed_by_ray(lacking([*THEIRS, *versions]), versions)
            ray.shutdown()  # an environment is a job's, and this one had none
            _started(address=self.address, runtime_env={**modules, **more}, **options)
        except ConnectionError as error:
            # Ray tells of a token that is missing or wrong in its log alone.
            raise UserError(
                f"no Ray cluster answers at {self.address} ({error}): check `ray status` there, and set RAY_AUTH_MODE and "
                "RAY_AUTH_TOKEN as on the cluster"
            ) from None
        if words:
            print(words, flush=True)
        if open_to_strangers(ray.get_runtime_context().gcs_address):
            print(
                f"warning: the Ray cluster at {self.address} does not require a token, so anyone who can reach its ports can "
                "run code on every node: start each node with RAY_AUTH_MODE=token (docs/cluster.md)",
                file=sys.stderr,
                flush=True,
            )


def _started(**options: Any) -> None:
    """`ray.init`, once more where Ray's own thirty seconds did not suffice, as on a machine that is busy with other things.

    Raises:
        UserError: it did not start.
        ConnectionError: no cluster answers.
    """
    import ray

    for attempt in range(_STARTS):
        try:
            with signals_left_alone():
                context = ray.init(**options)
            if options["address"] == "local":
                scratch.keep(Path(context.address_info["session_dir"]))
            return
        except ConnectionError:
            raise
        except Exception as error:  # Ray raises plain ones
            ray.shutdown()
            if "timed out during startup" not in str(error):
                raise
            if attempt + 1 == _STARTS:
                raise UserError(
                    f"Ray did not start on this machine in {_STARTS} attempts of half a minute: check whether other programs "
                    "use all processors or all memory, run the same command again, or use --backend inline"
                ) from None


def _check_address(address: str) -> None:
    """Knock at ``host:port`` or ``ray://host:port``: Ray itself would wait for minutes for a head that is not there."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return  # "auto" and the like: Ray knows at once
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(f"no Ray cluster answers at {address} ({error.strerror or error}): check `ray status` there") from None


class _Unpickled:
    """An object that stays in the driver. Tune pickles its callbacks, scheduler and searcher in order to resume, which we never
    ask for.
    """

    def __reduce__(self) -> tuple[type, tuple]:
        return object, ()


def _hub(listener: Listener, watch: Watch) -> Any:
    """The driver's callback in Tune, which passes results to ``listener`` as they come."""
    from ray import tune

    from lt_core.training.trial import Progress

    class Hub(_Unpickled, tune.Callback):
        def __init__(self) -> None:
            self.ended: set[str] = set()
            self.error: UserError | None = None
            self.stopping = False

        def on_trial_result(self, iteration: int, trials: list, trial: Any, result: dict, **info: Any) -> None:
            record = result.pop("record", None)  # taken out, so that Tune neither keeps nor writes it
            if record is not None:
                self._end(TrialResult.from_record(record))

        def stops(self, trial: Any, result: dict) -> bool:
            """Report a trial's progress, as flattened by Tune; returns whether to stop the trial."""
            point = {key.removeprefix("point/"): value for key, value in result.items() if key.startswith("point/")}
            reason = listener.progress(_spec(trial), Progress(result["epoch"], result["epochs"], point or None))
            if reason:
                self._end(TrialResult(_spec(trial), PRUNED, reason))
            return bool(reason)

        def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
            if _spec(trial).trial_id in self.ended:
                return  # its record is safe, whatever happened to the worker afterwards
            cause = _cause(trial)
            status = OOM if "OutOfMemory" in cause else LOST  # Ray's own word for a worker that it ended for its memory
            self._end(TrialResult(_spec(trial), status, f"{cause} (tried {_RETRIES + 1} times)"))

        def on_step_end(self, iteration: int, trials: list, **info: Any) -> None:
            listener.tick()
            self.error = self.error or watch.lost
            if self.error:
                raise self.error
            if stopping.asked() and not self.stopping:
                self.stopping = True
                signal.raise_signal(signal.SIGUSR1)  # Tune's own word for: stop what is running, in good order

        def _end(self, result: TrialResult) -> None:
            try:
                listener.result(result)
            except UserError as error:
                self.error = error
                raise
            self.ended.add(result.trial_id)

    return Hub()


def _scheduler(hub: Any) -> Any:
    """First come, first served; a trial that the listener stops is stopped."""
    from ray.tune.schedulers import FIFOScheduler, TrialScheduler

    class Scheduler(_Unpickled, FIFOScheduler):
        def on_trial_result(self, controller: Any, trial: Any, result: dict) -> str:
            return TrialScheduler.STOP if hub.stops(trial, result) else TrialScheduler.CONTINUE

    return Scheduler()


def _searcher(source: JobSource, gpus: float, wants_progress: bool) -> Any:
    """Tune's view of a source of jobs."""
    from ray.tune.search import Searcher

    class Asking(_Unpickled, Searcher):
        def suggest(self, trial_id: str) -> Any:
            job = source.ask()
            if job is not None:
                return {"job": packed(job, gpus, wants_progress)}
            return Searcher.FINISHED if source.over() else None

        def on_trial_complete(self, trial_id: str, result: dict | None = None, error: bool = False) -> None:
            """The listener has heard of it."""

        def save(self, checkpoint_path: str) -> None:
            """Nothing: the study is its own record."""

        def restore(self, checkpoint_path: str) -> None:
            """Nothing: Tune is never asked to resume."""

    return Asking()


def _spec(trial: Any) -> TrialSpec:
    return TrialSpec.from_dict(unpacked(trial.config)["trial"]["spec"])


def _cause(trial: Any) -> str:
    """Why Tune gave a trial up, in a line."""
    try:
        lines = [line.strip() for line in Path(trial.error_file).read_text().splitlines() if line.strip()]
    except (OSError, TypeError):
        lines = []
    short_of_memory = [line for line in lines if "OutOfMemoryError" in line]  # followed by pages of advice
    return (short_of_memory or lines or ["the worker was lost"])[-1]
