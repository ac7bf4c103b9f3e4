"""One trial from spec to result, with failures reported instead of raised."""

from __future__ import annotations

import atexit
import gc
import traceback
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

import torch

import lt_core.methods  # noqa: F401  (registers every part, those of other packages too)
from lt_core.errors import in_a_line
from lt_core.result import FAILED, OOM, TrialResult
from lt_core.spec import TrialSpec
from lt_core.training.book import Clock
from lt_core.training.ranks import led
from lt_core.training.running import Progress, RunningTrial, Stopped
from lt_core.training.runtime import Runtime, out_of_memory


def run_trial(spec: TrialSpec, runtime: Runtime | None = None) -> TrialResult:
    """Train and evaluate ``spec``. Never raises for what happens inside the trial: see the result's status.

    >>> import dataclasses
    >>> from lt_core.methods import resolve
    >>> from lt_core.recipes import RECIPES
    >>> from lt_core.spec import DataSpec
    >>> hasty = dataclasses.replace(RECIPES["digits"], epochs=2, lr=1e12)
    >>> result = run_trial(TrialSpec(DataSpec("digits", n_max=20), resolve("softmax"), hasty), Runtime(device="cpu"))
    >>> result.status, result.cause  # doctest: +ELLIPSIS
    ('diverged', 'training loss became ... in epoch ... of 2')
    """
    *_, result = trial_steps(spec, runtime or Runtime())
    assert isinstance(result, TrialResult)
    return result


def trial_steps(spec: TrialSpec, runtime: Runtime) -> Iterator[Progress | TrialResult]:
    """`run_trial` step by step: a `Progress` after each epoch, finally the `TrialResult`."""
    yield from steps_alone(spec, runtime) if runtime.ranks == 1 else led(steps_alone, spec, runtime)


def steps_alone(spec: TrialSpec, runtime: Runtime) -> Iterator[Progress | TrialResult]:
    """`trial_steps` in one process, which may be one of several that train the trial together."""
    clock, ended = Clock(), None
    try:
        yield from RunningTrial(spec, runtime, clock).steps()
    except Stopped as stop:
        ended = TrialResult(spec, stop.status, str(stop), seconds=clock.seconds)
    except Exception as error:
        status = OOM if out_of_memory(error) else FAILED
        ended = TrialResult(spec, status, in_a_line(error), traceback.format_exc(), seconds=clock.seconds)
    finally:
        _let_go(ended)
    if ended is not None:  # only now, because the error kept alive everything that the trial had in memory
        yield ended


@cache
def _skip_what_is_imported() -> None:
    """Let further collections skip what has been imported by the end of the first trial, which saves each of them 0.17 s."""
    gc.freeze()
    atexit.register(gc.unfreeze)  # otherwise libraries that count what is left at exit would report a leak


def _let_go(ended: TrialResult | None) -> None:
    """Free the memory of a trial that is over; ``ended`` is its result if it failed."""
    # A training and its steps refer to each other, so that its images would stay in memory until Python looks for such cycles:
    # those of several trials, in every worker.
    gc.collect()
    _skip_what_is_imported()
    if ended is not None and ended.status == OOM and torch.cuda.is_initialized():
        with suppress(RuntimeError):  # raised for a GPU that is lost
            torch.cuda.empty_cache()  # its blocks have this trial's sizes, which are of little use to others
