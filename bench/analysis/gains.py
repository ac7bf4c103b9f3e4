"""The gain of each tuned method over a baseline that was tuned with the same budget.

A search that compares leaves ``comparison.json`` in the run's folder, which says what each study chose and which trials confirm
it (`bench.tuning.gains`). All figures come from the rows of these trials, so that a table or a figure can be made anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis.comparison import Comparison, compare
from bench.analysis.metrics import of_rows
from lt_core.errors import UserError
from lt_core.fields import build
from lt_core.metrics import metric_of
from lt_core.whole_files import replacing

FILE = "comparison.json"
TUNED, DECLARED = "tuned", "as declared"


@dataclass(frozen=True)
class Confirmed:
    """What a study chose, and the trials on fresh subsets and seeds that confirm it.

    Attributes:
        chosen: the chosen setting as tables write it.
        settings: number of settings that the search tried.
        trials: number of their trials.
        seconds: total time of these trials, according to their records.
        tuned: IDs of the trials of the chosen setting.
        declared: IDs of the trials of the first setting, which is the declared or published one.
    """

    name: str
    chosen: str
    settings: int
    trials: int
    seconds: float
    tuned: tuple[str, ...]
    declared: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """A tuning space whose studies are compared with the study ``baseline``.

    Attributes:
        metric: the name of the metric in which gains are measured.
        budget: ``the same budget``, or that they had different ones.
        notes: how the studies searched, and on what their choices are confirmed.
    """

    space: str
    baseline: str
    metric: str
    budget: str
    notes: tuple[str, ...]
    studies: tuple[Confirmed, ...]

    def write(self, folder: Path) -> Path:
        """Write ``comparison.json`` into a run's folder."""
        file = folder / FILE
        with replacing(file) as beside:
            beside.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return file


def read(folder: Path) -> Compared:
    """The comparison that a search left in a run's folder.

    Raises:
        UserError: there is none, or the file is damaged.
    """
    file = folder / FILE
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        studies = tuple(build(Confirmed, {**one, **_tuples(one, "tuned", "declared")}) for one in content["studies"])
        return build(Compared, {**content, **_tuples(content, "notes"), "studies": studies})
    except FileNotFoundError:
        raise UserError(
            f"{folder} has no {FILE}, which `tune` writes if the space names a baseline: if this is such a search from an older "
            "version, repeat its command; it trains nothing"
        ) from None
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, UserError) as error:
        raise UserError(f"{file} is damaged ({error}): copy it again, or repeat the `tune` command; it trains nothing") from None


def _tuples(content: Mapping[str, Any], *names: str) -> dict[str, tuple[str, ...]]:
    """These fields of ``content``, which JSON holds as lists."""
    return {name: tuple(map(str, content[name])) for name in names}


def confirming(compared: Compared, frame: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """(study, `TUNED` or `DECLARED`) → the rows of the trials that confirm this setting, with the metric in ``_figure``.

    All are in one data column, although their recipes are tuned, and the label of each is the study and its setting.

    Args:
        frame: the rows of the run, one per trial.
    """
    frame = frame.assign(_figure=of_rows(metric_of(compared.metric), frame))
    fresh = frame[~frame["searched"].astype(bool)]
    of = {(s.name, how): ids for s in compared.studies for how, ids in ((TUNED, s.tuned), (DECLARED, s.declared))}
    return {
        key: fresh[fresh["trial_id"].isin(ids)].assign(label=label_of(*key), recipe="", model="", epochs=0)
        for key, ids in of.items()
    }


def over_baseline(compared: Compared, rows: Mapping[tuple[str, str], pd.DataFrame], how: str = TUNED) -> dict[str, Comparison]:
    """Study → its tuned setting compared with the baseline's `TUNED` or `DECLARED` one, over trials of the same images and seed,
    as `bench.analysis.comparison` does for a run's methods; p-values are adjusted for the number of studies. Empty if the
    baseline, or all others, have no finished trial.

    Args:
        rows: from `confirming`.
    """
    tuned = [of for (_, setting), of in rows.items() if setting == TUNED]
    others = tuned if how == TUNED else [*tuned, rows[compared.baseline, how]]
    lower_is_better = metric_of(compared.metric).lower_is_better
    try:
        found = compare(pd.concat(others, ignore_index=True), label_of(compared.baseline, how), "_figure", lower_is_better)
    except UserError:
        return {}
    names = {label_of(study.name, TUNED): study.name for study in compared.studies}
    return {names[one.label]: one for one in found}


def label_of(study: str, how: str) -> str:
    """``ldam_drw, tuned``."""
    return f"{study}, {how}"
