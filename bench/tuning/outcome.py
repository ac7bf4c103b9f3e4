"""What a search writes to its run's folder: tables, a suite for each winner, and figures."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from bench.records.store import Store
from bench.report import render
from bench.report.charts import paper
from bench.report.plots import gains as gains_plot
from bench.report.tables import gains as gains_table
from bench.report.tables.table import Table
from bench.tuning import summary
from bench.tuning.drawings import draw
from bench.tuning.gains import compared
from bench.tuning.space import Space
from bench.tuning.winners import Found
from lt_core import plugins
from lt_core.errors import UserError
from lt_core.spec import DataSpec


def write(space: Space, found: Sequence[Found], store: Store) -> list[Path]:
    """Write tables, the suite of each winner, and figures next to the records, and return the files.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        files = [file for made in tables(space, found, store) for file in render.write(made, store.path / "tables")]
        (store.path / "plots").mkdir(exist_ok=True)
        for one in found:
            files.append(store.path / f"winner_{one.study.name}.yaml")
            files[-1].write_text(suite_text(space, one, store.path))
        if space.baseline:
            files.append(compared(space, found, store).write(store.path))
    except OSError as error:
        raise UserError(
            f"{store.path} cannot be written ({error.strerror}): free some disk space and run the same command again"
        ) from None
    chart = None
    if space.baseline:
        with suppress(UserError):  # no study has a gain, as the table shows
            chart = gains_plot.draw(store)
    if chart:
        files.append(store.path / "plots" / "gains.svg")
        paper.save(paper.draw(chart), files[-1])
    for one in found:  # last, because Optuna's figures change matplotlib's style for all that follow
        files += draw(one, store.path / "plots")
    return files


def tables(space: Space, found: Sequence[Found], store: Store) -> list[Table]:
    """The table of the chosen settings and, if the space names a baseline, the table of their gains over it."""
    made = [summary.table(space, found, store)]
    return [*made, gains_table.build(compared(space, found, store), store.frame())] if space.baseline else made


def suite_text(space: Space, one: Found, folder: Path) -> str:
    """The text of a suite file in ``folder`` that runs the winner on the fresh seeds, for `bench.py run`."""
    spec = space.specs(one.study, one.setting)[0]
    changes = {k: _plain(v) for k, v in spec.recipe.changes.items()}
    values = {
        "about": f"the winner of study {one.study.name} of tuning space {space.name}, on seeds that the study did not use",
        "recipe": {"base": spec.recipe.name, **changes},
        "data": [_changed(data) for data in space.fresh_data],
        "methods": [one.study.method(one.setting).label],
        "seeds": list(space.fresh_seeds),
        "table": "catalogue",
    }
    if files := plugins.loaded():
        values["plugins"] = [os.path.relpath(plugin.path, folder) for plugin in files]
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)


def _changed(data: DataSpec) -> dict[str, Any]:
    return {f.name: _plain(v) for f in dataclasses.fields(data) if (v := getattr(data, f.name)) != f.default}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
