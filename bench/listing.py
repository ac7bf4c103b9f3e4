"""What there is, as plain JSON values."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

Items = list[dict[str, Any]]


def methods(pattern: str) -> Items:
    """Methods with their parts, neutral point and space."""
    from lt_core.methods import METHODS

    return [
        {
            "name": m.name,
            "family": m.family,
            "about": m.about,
            "cite": m.cite,
            "params": dict(m.resolve().params),
            "parameters": {k: {"domain": str(d), "help": d.help} for k, d in m.domains().items()},
            "neutral": {"at": dict(m.neutral.at), "equals": m.neutral.equals, "reason": m.neutral.reason},
            "space": {k: list(m.domains()[k].tune) or str(m.domains()[k]) for k in m.space},
        }
        for m in (METHODS[name] for name in METHODS.names(pattern))
    ]


def datasets(pattern: str) -> Items:
    from lt_core.data.sets import DATASETS

    return [asdict(DATASETS[name]) for name in DATASETS.names(pattern)]


def suites(pattern: str) -> Items:
    """Suites with their number of trials."""
    from bench.suite import load_suite, suite_names

    loaded = [load_suite(name) for name in suite_names() if fnmatch.fnmatchcase(name, pattern)]
    return [
        {"name": s.name, "about": f"{s.about} ({len(s.specs)} trials)", "trials": len(s.specs), "table": s.table} for s in loaded
    ]


def models(pattern: str) -> Items:
    from lt_core.models import MODELS

    return [{"name": name, "about": MODELS[name].about} for name in MODELS.names(pattern)]


def recipes(pattern: str) -> Items:
    from lt_core.recipes import RECIPES

    found = [RECIPES[name] for name in RECIPES.names(pattern)]
    return [{**asdict(r), "about": f"{r.model}, {r.epochs} epochs, batch {r.batch_size}, {r.optimizer} {r.lr:g}"} for r in found]


def tables(pattern: str) -> Items:
    from bench.tables import TABLES

    modules = {name: sys.modules[TABLES[name].__module__] for name in TABLES.names(pattern)}
    return [{"name": name, "about": (module.__doc__ or "").strip().splitlines()[0]} for name, module in modules.items()]


def metrics(pattern: str) -> Items:
    from bench.tables.figures import FIGURES

    return [{"name": name, "about": FIGURES[name].title} for name in FIGURES.names(pattern)]


_KINDS = (methods, datasets, suites, models, recipes, tables, metrics)
LISTINGS: dict[str, Callable[[str], Items]] = {kind.__name__: kind for kind in _KINDS}
