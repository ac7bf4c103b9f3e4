"""How a trial ends between two steps of a training: every training asks before each step whether it may go on.

Trainings are nested at several depths (a classifier, CycleGANs before it, CycleGANs inside its step), and plug-in files bring
their own. The question therefore belongs to the block in which a trial trains, and no training has to pass it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_question: ContextVar[Callable[[], None] | None] = ContextVar("question", default=None)


def before_step() -> None:
    """Every training calls this before each of its steps; it raises the exception that ends the trial, if the trial is to end."""
    ask = _question.get()
    if ask is not None:
        ask()


@contextmanager
def asked_before_steps(ask: Callable[[], None] | None) -> Iterator[None]:
    """In this block `before_step` calls ``ask``, which raises an exception to end the trial; None: nothing ends it.

    >>> def over() -> None:
    ...     raise TimeoutError("its time is over")
    >>> with asked_before_steps(over):
    ...     before_step()
    Traceback (most recent call last):
    TimeoutError: its time is over
    """
    token = _question.set(ask)
    try:
        yield
    finally:
        _question.reset(token)
