"""Seeds, given as a number of seeds or as a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from lt_core.errors import UserError

#: More seeds than anybody trains. Without a limit, three mistyped zeros would fill the machine's memory.
MOST = 10_000
#: Seeds must be smaller than this, so that seeds derived from them fit every generator.
LARGEST = 2**32


def first_seeds(number: int, what: str, else_: str) -> tuple[int, ...]:
    """The first ``number`` seeds: 0, 1, …

    Args:
        what: the name of the option or key, for the message.
        else_: what could be given instead of a number, for the message.

    Raises:
        UserError: the number is less than one, or more than `MOST`.

    >>> first_seeds(3, "seeds", "a list such as [0, 1]")
    (0, 1, 2)
    """
    if not 1 <= number <= MOST:
        raise UserError(f"{what} must be a number of seeds from 1 to {MOST:,}, or {else_}; got {number}")
    return tuple(range(number))


def these_seeds(seeds: Sequence[Any], what: str) -> tuple[int, ...]:
    """The listed ``seeds``.

    Raises:
        UserError: there are none, one occurs twice, or one is not an integer from 0 to less than `LARGEST`.

    >>> these_seeds([0, 7], "seeds")
    (0, 7)
    """
    whole = all(isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < LARGEST for seed in seeds)
    if not seeds or not whole:
        raise UserError(f"{what} must be whole numbers from 0 to {LARGEST - 1:,}; got {list(seeds)}")
    if twice := [seed for seed, number in Counter(seeds).items() if number > 1]:
        raise UserError(f"{what} lists {twice[0]} more than once: list each seed once")
    return tuple(seeds)
