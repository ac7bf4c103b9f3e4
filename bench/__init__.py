"""The harness: suites, plans, backends, the store, tables.

from bench import load_suite, plan, run, Store

suite = load_suite("quick")
print(plan(suite).counts())
store = run(suite, only="cb_*", backend="inline")
store.frame().groupby("label")["balanced_accuracy"].mean()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.records.store import Store
    from bench.running.backends import Backend
    from bench.suites.planning import Plan, plan
    from bench.suites.suite import Suite, load_suite
    from bench.tuning.space import Space, load_space
    from bench.tuning.winners import Found
    from lt_core.training.runtime import Runtime

__all__ = ["Plan", "Space", "Store", "Suite", "load_space", "load_suite", "plan", "run", "tune"]

_HOMES = {
    "Plan": "bench.suites.planning",
    "plan": "bench.suites.planning",
    "Store": "bench.records.store",
    "Suite": "bench.suites.suite",
    "load_suite": "bench.suites.suite",
    "Space": "bench.tuning.space",
    "load_space": "bench.tuning.space",
}


def __getattr__(name: str) -> Any:
    # Late, so that tables and `--help` do not wait for torch.
    import importlib

    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'bench' has no attribute '{name}'")


def run(
    suite: Suite | str,
    *,
    out: str | Path = "results/runs",
    backend: str = "ray",
    address: str | None = None,
    cpus_per_trial: float = 1,
    gpus_per_trial: float | None = None,
    device: str = "auto",
    only: str | None = None,
    where: Mapping[str, Any] | None = None,
    seeds: Sequence[int] | None = None,
    epochs: int | None = None,
    precision: str | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
    trial_timeout: float | None = None,
    checkpoint_every: float = 30.0,
    data: str | None = None,
    embed: bool = False,
    verbose: bool = False,
) -> Store:
    """Run what is missing of ``suite`` into ``out``/<suite> and return its store.

    Raises:
        UserError: bad input, missing data, resources that can never be had, an unwritable folder.
        bench.running.backends.Interrupted: stopped by Ctrl-C; what is finished is kept.
    """
    from bench.records.folder import claim
    from bench.records.store import Store
    from bench.running.driver import execute
    from bench.suites.planning import plan
    from bench.suites.suite import load_suite

    chosen = load_suite(suite) if isinstance(suite, str) else suite
    runtime = _runtime(
        data, device, cpus_per_trial, gpus_per_trial, checkpoint_every=checkpoint_every, time_limit=trial_timeout, embed=embed
    )
    scheduler = _scheduler(backend, address, cpus_per_trial, gpus_per_trial, verbose)
    store = Store.create(Path(out) / chosen.name)
    claim(store.path, chosen.file)
    planned = plan(
        chosen, store, only=only, where=where, seeds=seeds, epochs=epochs, precision=precision, limit=limit,
        retry_failed=retry_failed,
    )  # fmt: skip
    execute(planned, store, scheduler, runtime)
    return store


def tune(
    space: Space | str,
    *,
    out: str | Path = "results/runs",
    backend: str = "ray",
    address: str | None = None,
    cpus_per_trial: float = 1,
    gpus_per_trial: float | None = None,
    device: str = "auto",
    data: str | None = None,
    study_seed: int = 0,
    retry_failed: bool = False,
    verbose: bool = False,
) -> tuple[Store, list[Found]]:
    """Search every study of ``space`` on the validation split, then run the winners on fresh seeds.

    Returns:
        The store, in which all trials lie, and what each study found.

    Raises:
        UserError: bad input, missing data, resources that can never be had, an unwritable folder.
        bench.running.backends.Interrupted: stopped by Ctrl-C; the studies go on from there.
    """
    from bench.records.folder import claim
    from bench.records.store import Store
    from bench.tuning import driver as tuning
    from bench.tuning import winners
    from bench.tuning.space import load_space

    chosen = load_space(space) if isinstance(space, str) else space
    runtime = _runtime(data, device, cpus_per_trial, gpus_per_trial)
    scheduler = _scheduler(backend, address, cpus_per_trial, gpus_per_trial, verbose)
    store = Store.create(Path(out) / chosen.name)
    claim(store.path, chosen.file)
    searches = tuning.tune(
        chosen, store, scheduler, runtime, gpus=gpus_per_trial or 0.0, seed=study_seed, retry_failed=retry_failed
    )
    found = [winners.winner(search) for search in searches]
    winners.confirm(chosen, found, store, scheduler, runtime, retry_failed)
    return store, found


def _runtime(data: str | None, device: str, cpus: float, gpus: float | None, **options: Any) -> Runtime:
    """This machine's side of the trials; refuses a device that is not there, or that was asked for and ruled out at once."""
    from lt_core.errors import UserError
    from lt_core.training.runtime import Runtime

    if gpus == 0 and device.startswith("cuda"):
        raise UserError(f"--device {device} asks for a GPU and --gpus-per-trial 0 for none: drop one of them")
    data_dir = str(Path(data).expanduser().resolve()) if data else None
    runtime = Runtime(data_dir=data_dir, device=device, threads=max(1, int(cpus)), **options).given(gpus)
    runtime.torch_device()
    return runtime


def _scheduler(backend: str, address: str | None, cpus: float, gpus: float | None, verbose: bool) -> Backend:
    from bench.running.backends.inline import Inline
    from bench.running.backends.ray_tune import RayTune
    from lt_core.errors import unknown

    if backend not in ("ray", "inline"):
        raise unknown("backend", backend, ("ray", "inline"))
    return Inline() if backend == "inline" else RayTune(address, cpus, gpus, verbose)
