"""Run some trials of a run again and compare every figure: the test that a stranger would make."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from bench.merge import figures_of
from bench.store import Store
from lt_core.errors import UserError
from lt_core.result import OK
from lt_core.training.runtime import Runtime, describe
from lt_core.training.trial import run_trial


@dataclass(frozen=True)
class Verdict:
    """One trial, run again."""

    trial_id: str
    label: str
    same: bool
    words: str


def verify(store: Store, sample: int, runtime: Runtime, seed: int = 0) -> Iterator[Verdict]:
    """Run ``sample`` finished trials of ``store``, drawn by ``seed``, again here.

    Figures must agree to the bit on the same kind of machine; on another one the difference in accuracy is told.

    Raises:
        UserError: the run has no finished trial.
    """
    store.needs_records("verify")
    done = [result for result in store.results() if result.status == OK]
    if not done:
        raise UserError(f"{store.path} has no finished trial to verify")
    for stored in random.Random(seed).sample(done, min(sample, len(done))):
        again = run_trial(stored.spec, runtime)
        same = figures_of(again) == figures_of(stored)
        if again.status != OK:
            words = f"{again.status}: {again.cause}"
        elif same:
            words = "the same figures"
        else:
            change = 100 * (again.metrics()["accuracy"] - stored.metrics()["accuracy"])
            words = f"accuracy {change:+.2f} points; {_difference(stored.environment, again.environment)}"
        yield Verdict(
            stored.trial_id, f"{stored.spec.method.label}, {stored.spec.data.dataset}, seed {stored.spec.seed}", same, words
        )


def _difference(stored: dict, again: dict) -> str:
    keys = ("device_name", "threads", "precision", "torch", "data_fingerprint")
    changed = [f"{key} {stored.get(key)} then, {again.get(key)} now" for key in keys if stored.get(key) != again.get(key)]
    return "; ".join(changed) or "on the same kind of machine: this should not be"


def runtime_like(store: Store, data: str | None, device: str) -> Runtime:
    """The runtime of the run's first finished trial, as far as this machine can give it."""
    threads = next((r.environment.get("threads", 1) for r in store.results() if r.status == OK), 1)
    made = Runtime(data_dir=data, device=device, threads=int(threads))
    describe(made, None)  # refuses a device that is not there
    return made
