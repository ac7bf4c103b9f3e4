"""What is available, as plain JSON values and in words. Little is imported besides the registries, so that `list` is fast."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench.cli.imports import imports_that_stay
from lt_core.identity import NEUTRAL
from lt_core.labels import counted

if TYPE_CHECKING:
    from lt_core.metrics import Metric

Items = list[dict[str, Any]]


def methods(pattern: str) -> Items:
    """Methods with their parts, neutral point and tuning space."""
    with imports_that_stay():
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
    """Image sets with their sizes, and with the number of images in each class where it is known."""
    from lt_core.data.sets import DATASETS

    names = DATASETS.names(pattern) or [pattern] * (pattern in DATASETS)
    found = [
        {
            "name": info.name,
            "about": info.about,
            "classes": info.classes,
            "train_images": sum(info.train_counts),
            "imbalance_factor": max(info.train_counts) / min(info.train_counts),
            "train_counts": info.train_counts if info.by_class else None,
            "test_count": info.test_count,
            "image_shape": info.image_shape,
            "class_names": info.class_names,
        }
        for info in map(DATASETS.__getitem__, names)
    ]
    others = {
        "<set>_3v5": "the named classes of a set, here 3 and 5, renumbered from 0: cifar10_3v5, mnist_1v7v9",
        "<set>_64px": "a set of 224 pixels with its pictures at another size: imagenet_lt_64px",
    }
    return [*found, *({"name": name, "about": about} for name, about in others.items())] if pattern == "*" else found


def suites(pattern: str) -> Items:
    """Suites and groups of them, with their number of trials."""
    from bench.suites.group import Group, load
    from bench.suites.suite import suite_names

    items: Items = []
    more: dict[str, Any]
    known: dict[str, Any] = {}
    for item in [load(name, known, check=False) for name in suite_names() if fnmatch.fnmatchcase(name, pattern)]:
        if isinstance(item, Group):
            trials = sum(len(suite.specs) for suite in item.suites)
            words = f"group of {counted(len(item.suites), 'suite')}, {counted(trials, 'trial')}"
            more = {"suites": [s.name for s in item.suites]}
        else:
            trials = len(item.specs)
            words, more = counted(trials, "trial"), {"table": item.table}
        items.append({"name": item.name, "about": f"{item.about} ({words})", "trials": trials, **more})
    return items


def spaces(pattern: str) -> Items:
    """Tuning spaces with their studies and budgets."""
    from bench.tuning.space import load_space, space_names

    loaded = [load_space(name) for name in space_names() if fnmatch.fnmatchcase(name, pattern)]
    return [
        {"name": s.name, "about": f"{s.about} ({counted(len(s.studies), 'study', 'studies')})",
         "studies": [study.name for study in s.studies], "trials": s.trials}
        for s in loaded
    ]  # fmt: skip


def models(pattern: str) -> Items:
    from lt_core.models import MODELS
    from lt_core.pretrained import BACKBONES
    from lt_core.pretrained.registry import OTHERS

    names = list(dict.fromkeys([*MODELS.names(pattern), *BACKBONES.names(pattern)]))
    found = [{"name": name, "about": MODELS[name].about} for name in names or [pattern] * (pattern in MODELS)]
    return [*found, *({"name": name, "about": about} for name, about in OTHERS.items())] if pattern == "*" else found


def recipes(pattern: str) -> Items:
    from lt_core.recipes import RECIPES

    found = [RECIPES[name] for name in RECIPES.names(pattern)]
    return [
        {**asdict(r), "about": f"{r.model}, {counted(r.epochs, 'epoch')}, batch {r.batch_size}, {r.optimizer} {r.lr:g}"}
        for r in found
    ]


def tables(pattern: str) -> Items:
    from bench.report.tables import TABLES

    return _by_module({name: TABLES[name].build for name in TABLES.names(pattern)})


def plots(pattern: str) -> Items:
    from bench.report.plots import PLOTS

    return _by_module({name: PLOTS[name] for name in PLOTS.names(pattern)})


def _by_module(functions: Mapping[str, Any]) -> Items:
    """Names with the first docstring line of the module that defines each function."""
    docs = {name: sys.modules[function.__module__].__doc__ or "" for name, function in functions.items()}
    return [{"name": name, "about": doc.strip().splitlines()[0]} for name, doc in docs.items()]


def metrics(pattern: str) -> Items:
    from lt_core.metrics import METRICS

    return [
        {"name": m.name, "about": _metric_words(m), "title": m.title, "unit": m.unit, "lower_is_better": m.lower_is_better,
         "classes": m.about, "test_part_alone": m.needs_calibration}
        for m in (METRICS[name] for name in METRICS.names(pattern))
    ]  # fmt: skip


def _metric_words(metric: Metric) -> str:
    """``accuracy on few-shot classes in %, higher is better; classes with fewer than 20 training images``."""
    from lt_core.metrics import MATRIX_CLASSES

    words = f"{metric.title}, {'lower' if metric.lower_is_better else 'higher'} is better"
    words += f"; {metric.about}" if metric.about not in metric.quantity else ""  # the quantity may already say it
    words += "; on the test set only" if metric.needs_calibration else ""
    words += f"; up to {MATRIX_CLASSES} classes" if metric.needs_confusion else ""
    return words + ("; needs kept predictions" if metric.needs_predictions else "")


def explanations(pattern: str) -> Items:
    from lt_core.explain import EXPLANATIONS
    from lt_core.fields import domains

    found = {name: EXPLANATIONS[name] for name in EXPLANATIONS.names(pattern)}
    return [
        {
            "name": name,
            "about": _first_paragraph(kind),
            "parameters": {key: {"domain": str(domain), "help": domain.help} for key, domain in domains(kind).items()},
        }
        for name, kind in found.items()
    ]


def _first_paragraph(thing: object) -> str:
    """The first paragraph of a docstring, as plain text."""
    return " ".join((thing.__doc__ or "").split("\n\n")[0].replace("``", "").split())


def loggers(pattern: str) -> Items:
    from bench.running.loggers import LOGGERS

    return [{"name": name, "about": _first_paragraph(LOGGERS[name])} for name in LOGGERS.names(pattern)]


_KINDS = (methods, datasets, suites, spaces, models, recipes, tables, plots, metrics, explanations, loggers)
LISTINGS: dict[str, Callable[[str], Items]] = {kind.__name__: kind for kind in _KINDS}


def aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Rows of words, aligned in columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return "\n".join((indent + "  ".join(w.ljust(n) for w, n in zip(row, widths, strict=True))).rstrip() for row in rows)


def methods_listing(items: Sequence[Mapping[str, Any]]) -> str:
    """Methods grouped by family, with citation, defaults, neutral point and tuning space."""
    blocks = []
    for family in dict.fromkeys(item["family"] for item in items):
        blocks.append(family.replace("_", " "))
        for item in (i for i in items if i["family"] == family):
            blocks.append(f"  {item['name']}: {item['about']} ({item['cite']})")
            words = " ".join(f"{k}={v}" for k, v in item["params"].items() if k == "loss" or NEUTRAL.get(k) != v)
            neutral = item["neutral"]
            at = " ".join(f"{k}={v}" for k, v in neutral["at"].items()) or "as declared"
            space = "; ".join(f"{k} in {v}" for k, v in item["space"].items()) or "nothing"
            blocks.append(f"      parts    {words}")
            blocks.append(
                f"      neutral  {at}: equals {neutral['equals']}" + (f" ({neutral['reason']})" if neutral["reason"] else "")
            )
            blocks.append(f"      to tune  {space}")
    return "\n".join(blocks)
