"""How a command reads its options: nothing that the user wrote is silently dropped."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Any

from typer.core import TyperCommand

from lt_core.errors import UserError

_SPELLED_WRONG = 0.85  # an unknown option that is at least this similar to a known one is a misspelling of it


class Command(TyperCommand):
    """A command that rejects options that are empty, or given twice although only the last one would count."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments as click does, which by itself silently takes the last of several values.

        Raises:
            UserError: an option that takes one value was given several times, or an option has an empty value.
        """
        values, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in dict.fromkeys(given):
            if option.opts[0].startswith("-") and "" in _listed(values.get(option.name)):
                raise UserError(f"{max(option.opts, key=len)} has an empty value: give it a value, or omit the option")
            # A flag means the same however often it is given, and an argument cannot be given twice.
            if given.count(option) > 1 and not (option.multiple or getattr(option, "is_flag", False)):
                name, value = max(option.opts, key=len), option.metavar or "VALUE"
                raise UserError(f"{name} was given {given.count(option)} times: give it once, as {name} {value}")
        return super().parse_args(ctx, args)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


class GridCommand(Command):
    """A command whose options are also the fields of a grid: ``--cb-beta 0.9`` is short for ``--set cb_beta=0.9``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = {name for one in self.get_params(ctx) for name in (*one.opts, *one.secondary_opts)}
        return super().parse_args(ctx, _fields_spelled_out(args, known))


def _fields_spelled_out(args: Sequence[str], known: Collection[str]) -> list[str]:
    """``args`` with fields in the form that `--set` takes. A misspelling of a ``known`` option is left for click to refuse.

    A field keeps the dashes that it was typed with, so that an error can name the option that the user wrote.

    >>> _fields_spelled_out(["quick", "--cb-beta", "0.9,0.99", "--lr=0.1", "--seds", "3"], {"--set", "--seeds"})
    ['quick', '--set', '--cb-beta=0.9,0.99', '--set', '--lr=0.1', '--seds', '3']
    """
    out, rest = list[str](), list(args)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word == "--":
            return [*out, word, *rest]
        field = word.startswith("--") and name not in known and not get_close_matches(name, known, cutoff=_SPELLED_WRONG)
        if field and (equals or (rest and not rest[0].startswith("--"))):
            out += ["--set", f"{name}={value if equals else rest.pop(0)}"]
        else:
            out.append(word)
    return out
