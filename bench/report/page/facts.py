"""Facts about a run besides its figures: size, failures, provenance, and commands."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.records.columns import DATA, DRAW, HEADINGS, REPEATS, describe, describe_trial, factor_words, group_name
from bench.records.layout import SECONDS
from bench.records.nested import environments_of
from lt_core.labels import counted, without_version
from lt_core.result import LOST, OK, PRUNED

_FOLDERS = ("--out", "--data")  # options of a command that name folders of the machine where it was given
_IDS = 5  # the most trials that are named for a cause


@dataclass(frozen=True)
class Failure:
    """Trials that ended the same way."""

    status: str
    cause: str
    count: int
    first: tuple[str, ...]  # label, data, seed and id of the first few
    remedy: str
    command: str


def header(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """The summary at the top: how many trials, of which methods, on which data and devices."""
    columns = frame.groupby(["dataset", "imbalance_type"], sort=False)
    pruned = int((frame["status"] == PRUNED).sum())
    counts = {
        "failed": len(frame) - pruned - int((frame["status"] == OK).sum()),
        "stopped early by a study": pruned,
        "trials of a search, excluded from all figures": int((frame["searched"].astype(bool) & (frame["status"] == OK)).sum()),
    }
    others = ", ".join(f"{count:,} {words}" for words, count in counts.items() if count)
    data = [
        f"{group_name(*key)} IF {', '.join(factor_words(f) for f in sorted(rows['imbalance_factor'].unique(), reverse=True))}"
        for key, rows in columns
    ]
    seconds = float(frame[list(SECONDS)].sum().sum())
    methods, labels = frame["method"].map(without_version).nunique(), frame["label"].nunique()
    return [
        ("trials", f"{len(frame):,}" + (f" ({others})" if others else "")),
        ("methods", f"{methods}" + (f" in {labels} settings" if labels > methods else "")),
        ("seeds and subsets", f"{len(frame[REPEATS].drop_duplicates())}"),
        ("data", "; ".join(data)),
        ("devices", "; ".join(_kinds(frame, "device_name")) or "none"),
        ("trial time", f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"),
    ]


def failures(frame: pd.DataFrame) -> list[Failure]:
    """Failed trials grouped by status and cause, the most frequent first."""
    bad = frame[~frame["status"].isin([OK, PRUNED])]
    groups = [(str(status), str(cause), rows) for (status, cause), rows in bad.groupby(["status", "cause"], sort=True)]
    return [_failure(status, cause, rows) for status, cause, rows in sorted(groups, key=lambda group: -len(group[2]))]


def _failure(status: str, cause: str, rows: pd.DataFrame) -> Failure:
    first = rows.iloc[0]
    command = environments_of(rows.head(1))[0].get("command") or f"bench.py run {first['suite']}"
    remedy = "the same command runs it again automatically"
    if status != LOST:
        remedy = "is not repeated automatically; fix the cause, then run"
        command += "" if "--retry-failed" in command else " --retry-failed"
    names = (f"{describe_trial(row)} ({row['trial_id']})" for row in rows.head(_IDS).to_dict("records"))
    return Failure(status, cause, len(rows), tuple(names), remedy, f"python {command}")


def provenance(frame: pd.DataFrame) -> list[tuple[str, list[tuple[str, int]]]]:
    """Fact → its values, with the number of trials for each. A reader should know if there are two values instead of one."""
    told = ["environment", "dataset", "protocol", "schema", "recipe", "model", "epochs"]  # all facts follow from these
    rows = frame[told].fillna("").value_counts(sort=False).reset_index()
    environments = environments_of(rows)
    found: dict[str, list[str]] = {
        "code": [_commit(e) for e in environments],
        "packages": [_packages(e) for e in environments],
        "plug-in files": [_plugins(e) for e in environments],
        "Python": [str(e.get("python") or "") for e in environments],
        "device": [_device(e) for e in environments],
        "precision": [str(e.get("precision") or "") for e in environments],
        "data fingerprint": [
            f"{name}: {e['data_fingerprint']}" if e.get("data_fingerprint") else ""
            for name, e in zip(rows["dataset"], environments, strict=True)
        ],
        "protocol": [str(protocol) for protocol in rows["protocol"]],
        "record schema": [str(schema) for schema in rows["schema"]],
        "training": [f"recipe {r.recipe}, model {r.model}, {counted(r.epochs, 'epoch')}" for r in rows.itertuples()],
    }
    return [(fact, _counted(values, rows["count"])) for fact, values in found.items() if any(values)]


def subsets(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Data and subset seed → fingerprint of the training subset."""
    keys = [*HEADINGS, DRAW, "subset_fingerprint"]
    known = frame[frame["subset_fingerprint"].notna()].drop_duplicates(keys)
    data = known.drop_duplicates(DATA).to_dict("records")
    rows = known.sort_values(keys, kind="stable").to_dict("records")
    return [(f"{describe(row, data)}, {DRAW} {row[DRAW]}", row["subset_fingerprint"]) for row in rows]


def commands(frame: pd.DataFrame) -> list[tuple[str, int]]:
    """The commands that ran the trials, without the folders that they named, with the number of trials of each."""
    rows = frame[["environment"]].fillna("").value_counts(sort=False).reset_index()
    return _counted([without_folders(environment.get("command") or "") for environment in environments_of(rows)], rows["count"])


def without_folders(command: str) -> str:
    """A command for readers, who have none of the folders that it was given.

    >>> without_folders("bench.py run quick --data data --only 'cb_*' --out=rows")
    "bench.py run quick --only 'cb_*'"
    """
    try:
        words = shlex.split(command)
    except ValueError:  # somebody else's text, which is not a command
        return command
    pairs = zip(["", *words], words, strict=False)
    return shlex.join(word for before, word in pairs if before not in _FOLDERS and word.partition("=")[0] not in _FOLDERS)


def _counted(values: Sequence[str], rows: Iterable[int]) -> list[tuple[str, int]]:
    """Each of ``values`` that is not empty, with its number of ``rows``, the most frequent first."""
    counts: Counter[str] = Counter()
    for value, count in zip(values, rows, strict=True):
        counts[value] += int(count)
    return sorted(((value, count) for value, count in counts.items() if value), key=lambda item: (-item[1], item[0]))


def _kinds(frame: pd.DataFrame, column: str) -> list[str]:
    return [str(value) for value in sorted(frame[column].dropna().unique())]


def _commit(environment: Mapping[str, Any]) -> str:
    commit = environment.get("git_commit")
    state = {True: ", with uncommitted changes", False: ", clean"}.get(environment.get("git_dirty"), "")  # type: ignore[arg-type]
    return f"commit {commit}{state}" if commit else "installed package; see its version"


def _packages(environment: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted((environment.get("packages") or {}).items()) if version)


def _plugins(environment: Mapping[str, Any]) -> str:
    return ", ".join(f"{plugin['file']} (SHA-256 {plugin['sha256'][:16]}…)" for plugin in environment.get("plugins") or ())


def _device(environment: Mapping[str, Any]) -> str:
    threads = environment.get("threads")
    return f"{environment.get('device_name') or 'unknown'}" + (f", {threads} thread{'s' * (threads > 1)}" if threads else "")
