"""The gain of each tuned method over a baseline that was tuned with the same budget.

A search that compares leaves ``comparison.json`` in the run's folder, which says what each study chose and which trials confirm
it (`bench.tuning.gains`). All figures come from the rows of these trials, so that a table or a figure can be made anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis.comparison import Comparison, compare
from bench.analysis.metrics import of_rows
from bench.report.tables.cells import cell_of
from bench.report.tables.table import Cell
from lt_core.errors import UserError
from lt_core.fields import build
from lt_core.metrics import Metric, metric_of
from lt_core.whole_files import replacing

FILE = "comparison.json"
_TUNED, _DECLARED = "tuned", "as declared"
_NONE = Comparison("", 0, 0, 0.0, None, 0.0, 0.0, 0, 0)


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
            f"{folder} has no {FILE}: only a search whose space names a baseline, such as `tune equal_budget_cifar10`, writes one"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, UserError) as error:
        raise UserError(f"{file} is damaged ({error}): copy it again, or repeat the `tune` command; it trains nothing") from None


def _tuples(content: Mapping[str, Any], *names: str) -> dict[str, tuple[str, ...]]:
    """These fields of ``content``, which JSON holds as lists."""
    return {name: tuple(map(str, content[name])) for name in names}


@dataclass(frozen=True)
class Gain:
    """One study compared with the baseline, in the metric's unit, on fresh subsets and seeds.

    ``over_declared`` and ``over_tuned`` compare the tuned method with the baseline's declared and tuned setting. They are None if
    there are no pairs of trials; for the baseline itself, ``over_tuned`` is None.
    """

    study: Confirmed
    declared: Cell
    tuned: Cell
    over_declared: Comparison | None
    over_tuned: Comparison | None

    @property
    def name(self) -> str:
        """The name of the study."""
        return self.study.name


def gains(compared: Compared, frame: pd.DataFrame) -> list[Gain]:
    """The baseline, then the other studies, the largest gain over the tuned baseline first.

    Every tuned method is compared with the baseline over trials of the same images and seed, as `bench.analysis.comparison` does
    for a run's methods, and p-values are adjusted for the number of studies.

    Args:
        frame: the rows of the run, one per trial.
    """
    metric = metric_of(compared.metric)
    frame = frame.assign(_figure=of_rows(metric, frame))
    of = {
        (study.name, how): _rows(frame, ids, f"{study.name}, {how}")
        for study in compared.studies
        for how, ids in ((_TUNED, study.tuned), (_DECLARED, study.declared))
    }
    tuned = [rows for (_, how), rows in of.items() if how == _TUNED]
    over_tuned = _over(f"{compared.baseline}, {_TUNED}", tuned, metric)
    over_declared = _over(f"{compared.baseline}, {_DECLARED}", [*tuned, of[compared.baseline, _DECLARED]], metric)
    made = []
    for study in compared.studies:
        declared, best = (cell_of(metric, of[study.name, how]) for how in (_DECLARED, _TUNED))
        label = f"{study.name}, {_TUNED}"
        made.append(Gain(study, declared, best, over_declared.get(label), over_tuned.get(label)))
    sign = -1 if metric.lower_is_better else 1
    # The baseline comes first.
    return sorted(made, key=lambda gain: (gain.name != compared.baseline, -sign * (gain.over_tuned or _NONE).difference))


def _over(baseline: str, rows: Sequence[pd.DataFrame], metric: Metric) -> dict[str, Comparison]:
    """Every label in ``rows`` against the label ``baseline``; empty if the baseline, or all others, have no finished trial."""
    try:
        found = compare(pd.concat(rows, ignore_index=True), baseline, "_figure", metric.lower_is_better)
    except UserError:
        return {}
    return {one.label: one for one in found}


def _rows(frame: pd.DataFrame, trial_ids: Sequence[str], label: str) -> pd.DataFrame:
    """The rows of these trials, all under one ``label`` and, although their recipes are tuned, in one data column."""
    rows = frame[frame["trial_id"].isin(trial_ids) & ~frame["searched"].astype(bool)]
    return rows.assign(label=label, recipe="", model="", epochs=0)
