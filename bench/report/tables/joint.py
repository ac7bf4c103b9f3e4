"""Table of joint generation and classification (Sahoo et al. 2020): methods by the number of images of the minority class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from bench.analysis.comparable import one_budget
from bench.analysis.published import published
from bench.records.columns import HEADINGS, factor_words, group_name
from bench.records.nested import params_of, specs_of
from bench.report.tables.cells import cells_of, mean_cell
from bench.report.tables.layout import Grid, names_without_common
from bench.report.tables.table import Cell, Table, rank_columns
from lt_core.data.longtail import training_sizes
from lt_core.labels import method_of, parse_label, short
from lt_core.metrics import METRICS

_PAPER = "Sahoo2020"
#: Our row → its method and parameters in the paper's table.
_PRINTED = {
    "Vanilla": ("vanilla", ""),
    "TS": ("ts", ""),
    "CS": ("cs", ""),
    "US": ("us", ""),
    "OS": ("os", ""),
    "US + CS": ("us_cs", ""),
    "OS + CS": ("os_cs", ""),
    "SMOTE": ("smote", ""),
    "CB (β = 0.9)": ("cb", "beta=0.9"),
    "CB (β = 0.99)": ("cb", "beta=0.99"),
    "CB (β = 0.999)": ("cb", "beta=0.999"),
    "CB (β = 0.9999)": ("cb", "beta=0.9999"),
    "Joint, ALT": ("joint_alt", ""),
    "Joint, AUG": ("joint_aug", ""),
}
#: Our method → its row. TS is only in the paper's table; we do not know what it is.
_ROWS = {
    "softmax": "Vanilla",
    "inverse": "CS",
    "under_sampling": "US",
    "over_sampling": "OS",
    "us_cs": "US + CS",
    "os_cs": "OS + CS",
    "smote": "SMOTE",
    "joint_alt": "Joint, ALT",
    "joint_aug": "Joint, AUG",
}
_JOINT = ("joint_aug", "joint_alt")
#: First word of our set's name → the set's name in the paper's figures, and in notes.
_SETS = {"horse2zebra": ("horse2zebra", "Horse2Zebra"), "celeba": ("celeba", "CelebA"), "cub": ("cub200", "CUB-200-2011")}
#: Scores of generated images: heading, column of the frame, the factor to the unit shown, and whether lower is better.
_MADE = (
    ("taken for it %", "inception_accuracy", 100, False),
    ("KID", "kid", 1, True),
    ("near-copies %", "near_copies", 100, True),
)


def build(frame: pd.DataFrame, metric: str = "minority_f1") -> Table:
    """Rows as in the paper, then all others that were run; columns from few images of the smallest class to many.

    The figures of the paper are shown next to ours if these are on the same set with as many images of the smallest class. If
    there are none, its CelebA figures are shown in columns of their own; they are for other images, and only show how the paper's
    methods compare with one another.
    """
    figure = METRICS[metric]
    frame, notes = one_budget(frame)
    names, common = _names(frame)
    grid = Grid()
    papers = metric == "minority_f1"
    groups = frame.groupby(HEADINGS, sort=False, dropna=False)
    for (dataset, shape, factor), rows in sorted(groups, key=lambda item: (item[0][0], item[0][1], -item[0][2])):
        sizes = training_sizes(specs_of(rows.head(1))[0].data)
        group = f"{group_name(dataset, shape)}, {max(sizes):,} in the largest"
        measured = {names[label]: cell for label, cell in cells_of(figure, rows, names).items()}
        grid.add(group, f"{min(sizes)} (IF {factor_words(factor)})", measured, plain=True)
        if papers and (printed := _printed(dataset).get(min(sizes))):
            grid.add(group, "paper", printed, published=True)
        if papers and "inception_accuracy" in rows and rows["inception_accuracy"].notna().any():
            if (judged := _judged(rows, dataset)) not in notes:
                notes.append(judged)
            for heading, name, unit, lower in _MADE:
                by_label = (unit * rows.dropna(subset=[name]).set_index("label")[name]).groupby(level=0)
                scores = {names[str(label)]: mean_cell(values.to_numpy()) for label, values in by_label}
                grid.add(group, heading, scores, plain=True, lower_is_better=lower)
    if papers:
        beside = [_SETS[_first_word(column.group)][1] for column in grid.columns if column.published]
        for count, printed in _printed("celeba").items() if not beside else ():
            grid.add("CelebA, paper", f"{count}", printed, published=True)
        notes.append(f"paper: Sahoo et al. 2020, {_likeness(beside)}; its slides name F1 and ACSA, and we read the figures as F1")
        notes.append("TS, a row of the paper's table, is not explained in the text that we have, so it has no counterpart here")
    if any(name.startswith("Joint") for name in names.values()):
        notes.append("joint rows: our interpretation of the paper, whose code was not published")
    places = {name: i for i, name in enumerate(_PRINTED)}
    # A joint row with parameters of its own comes after the plain one.
    places |= {name: places[_ROWS[method_of(label)]] for label, name in names.items() if method_of(label) in _JOINT}
    order = sorted(dict.fromkeys([*_PRINTED, *names.values()]), key=lambda name: places.get(name, len(_PRINTED)))
    lines = tuple(grid.row(name, name) for name in order if any(name in column for column in grid.cells))
    notes.insert(
        0, "columns: number of images in the smallest class" + (f"; all joint rows: {', '.join(common)}" if common else "")
    )
    title = f"Joint generation and classification: {figure.title} (layout of Sahoo et al. 2020)"
    table = Table("joint", title, "Method", tuple(grid.columns), lines, tuple(notes))
    return rank_columns(table, lower_is_better=figure.lower_is_better)


def _judged(rows: pd.DataFrame, dataset: str) -> str:
    """A note on how the images generated for the smallest class are scored, and how accurate their judge is."""
    judge = 100 * rows["judge_accuracy"].mean()
    return (
        f"{dataset}, images made for the smallest class: the share that a classifier trained on balanced real images takes "
        f"for the class (it is right on {judge:.1f} % of real test images), the kernel inception distance (KID) of its features "
        "to real test images, and the share nearer to a training image than any real test image is"
    )


def _names(frame: pd.DataFrame) -> tuple[dict[str, str], list[str]]:
    """Label → row, and the parameters that all joint rows share, which are not repeated in them."""
    joint, plain = [], {}
    for label, given in dict(zip(frame["label"], params_of(frame), strict=True)).items():
        method, changed = parse_label(str(label))
        if method in _JOINT:
            joint.append(str(label))
        elif method == "cb_softmax" and set(changed) <= {"cb_beta"}:  # with other changes it is not a row of the paper
            plain[str(label)] = f"CB (β = {short(given['cb_beta'])})"
        else:
            plain[str(label)] = _ROWS.get(str(label), str(label))
    rows, common = names_without_common(joint, _ROWS, everywhere=True)
    return plain | rows, common


def _first_word(dataset: str) -> str:
    return re.split(r"[_,@ ]", dataset)[0]


def _likeness(beside: Sequence[str]) -> str:
    """What the paper's figures have in common with ours; ``beside`` holds the sets for which both are shown."""
    if not beside:
        return "with other images and networks"
    names = " and ".join(dict.fromkeys(beside))
    return (
        f"on {names} with as many images of the smallest class; which classes those are, how many images the largest has, the "
        "size of the images and the networks are not in the text that we have"
    )


def _printed(dataset: str) -> Mapping[int, dict[str, Cell]]:
    """The paper's figures for one of its sets, in %: number of minority images → row → figure; empty for any other set."""
    rows = published()
    known = _SETS.get(_first_word(dataset), ("", ""))[0]
    rows = rows[(rows["paper"] == _PAPER) & (rows["dataset"] == known)]
    found = {(row.method, row.params, int(row.minority_examples)): 100 * float(row.value) for row in rows.itertuples()}
    return {
        count: {name: Cell(found[*key, count]) for name, key in _PRINTED.items() if (*key, count) in found}
        for count in sorted({count for _, _, count in found})
    }
