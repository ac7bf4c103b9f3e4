"""The command line: the entry point."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Annotated

import typer

import lt_core
from bench.cli import check, data, explain, features, files, look, run, tune
from bench.cli.command import Command, GridCommand
from bench.cli.exits import refuse
from bench.cli.options import with_plugins
from bench.running.stopping import STOPPED, leave, one_stop
from lt_core.errors import UserError

app = typer.Typer(
    name="lt-bench",
    help="A benchmark of long-tailed image classification: methods × imbalance factors × hyperparameters × seeds.",
    add_completion=True,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _door(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False
) -> None:
    if version:
        print(f"lt-bench {lt_core.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


_COMMANDS: dict[str, Callable[..., None]] = {
    "list": look.list_, "plan": run.plan_, "run": run.run_, "tune": tune.tune_, "table": look.table_, "status": look.status_,
    "compare": look.compare_, "priors": look.priors_, "leaderboard": look.leaderboard_, "export": files.export_,
    "merge": files.merge_, "verify": run.verify_, "features": features.features_, "check": check.check_, "claims": look.claims_,
    "plot": files.plot_, "report": files.report_, "site": files.site_, "weights": explain.weights_, "explain": explain.explain_,
    "geometry": explain.geometry_,
}  # fmt: skip
for _name, _command in _COMMANDS.items():
    app.command(_name, cls=GridCommand if _name in ("plan", "run") else Command)(with_plugins(_command))


app.add_typer(data.app, name="data")


def main() -> None:
    """Run the command line; bad input ends in one sentence and exit code 2."""
    warnings.formatwarning = _in_a_sentence
    with one_stop(stays=True):
        try:
            # Typer's own handling prints usage around an error; one sentence is enough.
            code = app(standalone_mode=False)
        except SystemExit as end:
            code = end.code
        except UserError as error:
            code = refuse(str(error))
        except KeyboardInterrupt:
            code = STOPPED
        except Exception as error:
            # Typer may use its own copy of click or the installed one, so its usage errors are recognised by this method.
            if not hasattr(error, "format_message"):
                raise
            code = refuse(error.format_message())
        leave(code or 0)


def _in_a_sentence(message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None) -> str:
    """A warning as users see it: its message, without the line of code that issued it."""
    return f"warning: {message}\n"
