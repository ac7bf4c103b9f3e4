"""How a command reads its options: nothing that was written is dropped without a word."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from lt_core.errors import UserError


class Command(TyperCommand):
    """A command whose options are refused where they are empty, or given twice and only the last one would count."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As in click, which takes the last of several values in silence.

        Raises:
            UserError: an option that takes one value was given several times, or one without anything in it.
        """
        values, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in dict.fromkeys(given):
            if option.opts[0].startswith("-") and "" in _listed(values.get(option.name)):
                raise UserError(f"{max(option.opts, key=len)} is empty: give it a value, or leave it out")
            # A flag says the same however often it is given; an argument cannot be given twice.
            if given.count(option) > 1 and not (option.multiple or getattr(option, "is_flag", False)):
                name, value = max(option.opts, key=len), option.metavar or "VALUE"
                raise UserError(f"{name} is given {given.count(option)} times; give it once, as {name} {value}")
        return super().parse_args(ctx, args)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
