"""The reference pages of the documentation, made of the registries and of the command line, so that they cannot be stale."""

from __future__ import annotations

import dataclasses
import html
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import typer

from bench.cli import listing
from bench.cli.app import app
from lt_core.fields import Domain, domains
from lt_core.identity import NEUTRAL
from lt_core.labels import listed
from lt_core.recipes import Recipe
from lt_core.spec import DataSpec

#: What each group of parts is, beyond its name.
GROUPS = {
    "loss": "Losses",
    "sampling": "Samplings",
    "weights": "Class weights",
    "schedule": "Schedules",
    "head": "Heads",
    "posthoc": "Post-hoc corrections",
    "step": "Training steps",
    "stages": "Stages",
    "regularizer": "Regularisers",
    "synthesis": "Synthesis of images",
    "augment": "Augmentation by class",
}


def pages() -> dict[str, str]:
    """Name of a page → its Markdown."""
    made: dict[str, Callable[[], str]] = {
        "index": index, "methods": methods, "losses": lambda: parts("loss"), "samplings": lambda: parts("sampling"),
        "parts": lambda: parts(*(group for group in GROUPS if group not in ("loss", "sampling"))), "datasets": datasets,
        "models": models, "recipes": recipes, "metrics": metrics, "suites": suites, "tables": tables_and_plots,
        "command-line": command_line,
    }  # fmt: skip
    return {name: make() for name, make in made.items()}


def index() -> str:
    return """# Reference

These pages are generated from the code each time the documentation is built.

- [Methods](methods.md)
- [Losses](losses.md), [samplings](samplings.md) and [other parts](parts.md), of which methods are made
- [Data sets](datasets.md) and the keys of `data` in a suite
- [Models](models.md)
- [Recipes](recipes.md) and their keys
- [Metrics](metrics.md)
- [Suites and tuning spaces](suites.md)
- [Tables and plots](tables.md)
- [Command line](command-line.md)
"""


def methods() -> str:
    about = "A method is a choice for each [part](parts.md). `method[key=value,…]` sets a parameter or replaces a part."
    lines = ["# Methods", "", about, ""]
    items = listing.methods("*")
    for family in dict.fromkeys(item["family"] for item in items):
        lines += [f"## {_title(family)}", ""]
        for item in (i for i in items if i["family"] == family):
            lines += [
                f"### {item['name']}",
                "",
                f"{_sentence(item['about'])} Source: {_text(item['cite'])}.",
                "",
                *_method(item),
                "",
            ]
    return "\n".join(lines)


def _method(item: Mapping[str, Any]) -> Iterator[str]:
    chosen = {k: v for k, v in item["params"].items() if k in NEUTRAL and (k == "loss" or v != NEUTRAL[k])}
    space = (f"`{k}` ({listed(v) if isinstance(v, list) else v})" for k, v in item["space"].items())
    yield f"- Parts: {', '.join(f'{k} `{v}`' for k, v in chosen.items())}"
    yield f"- Neutral setting: {_neutral(item['neutral'])}"
    yield f"- Worth tuning: {_text(', '.join(space)) or 'nothing'}"
    rows = [(f"`{k}`", _value(item["params"][k]), d["domain"], d["help"]) for k, d in item["parameters"].items()]
    if rows:
        yield f"\n{_table(('parameter', 'value', 'allowed', 'meaning'), rows)}"


def _neutral(neutral: Mapping[str, Any]) -> str:
    reason = f" ({_text(neutral['reason'])})" if neutral["reason"] else ""
    if not neutral["equals"]:
        return f"none{reason}"
    at = ", ".join(f"`{k}={v}`" for k, v in neutral["at"].items())
    return f"{at or 'as declared'}, where it equals `{neutral['equals']}`{reason}"


def parts(*groups: str) -> str:
    import lt_core.methods  # noqa: F401 (registers every part)
    from lt_core.parts import GROUPS as REGISTRIES

    title = GROUPS[groups[0]] if len(groups) == 1 else "Other parts"
    lines = [f"# {title}", "", f"A suite or a label chooses one by `{groups[0]}=NAME`." if len(groups) == 1 else "", ""]
    for group in groups:
        lines += [f"## {GROUPS[group]}", "", f"Chosen by `{group}=NAME`.", ""] if len(groups) > 1 else []
        for name in REGISTRIES[group]:
            part = REGISTRIES[group][name]
            lines += [f"{'###' if len(groups) > 1 else '##'} {name}", "", _text(inspect.getdoc(part) or ""), ""]
            lines += [_fields(part), ""] if domains(part) else []
    return "\n".join(lines)


def datasets() -> str:
    rows = [
        (
            f"`{item['name']}`",
            item["about"],
            f"{item['classes']:,}" if "classes" in item else "",
            f"{item['train_images']:,}" if "train_images" in item else "",
            f"{item['imbalance_factor']:.4g}" if "imbalance_factor" in item else "",
            f"{item['test_count']:,}" if "test_count" in item else "",
        )
        for item in listing.datasets("*")
    ]
    head = ("name", "what it is", "classes", "training images", "imbalance factor", "test images")
    about = "Your own pictures become a data set with `bench.py data add` ([your images](../your-images.md))."
    keys = "Under `data`, a suite says how a trial's images are taken from the set:"
    return "\n\n".join(["# Data sets", _table(head, rows), about, "## Keys of `data`", keys, _fields(DataSpec)]) + "\n"


def models() -> str:
    about = "A recipe names its model: `recipe: {base: cifar_ldam, model: resnet50}`. See [any backbone](../backbones.md)."
    return "\n\n".join(["# Models", about, _names(listing.models("*"))]) + "\n"


def recipes() -> str:
    about = "A recipe is how a network is trained. `recipe: {base: NAME, key: value}` changes keys of a recipe."
    changed = []
    neutral = {f.name: f.default for f in dataclasses.fields(Recipe)}
    for item in listing.recipes("*"):
        given = {k: v for k, v in item.items() if k in neutral and k != "name" and v != neutral[k]}
        said = ", ".join(f"`{k}: {_value(v)}`" for k, v in given.items())
        changed.append((f"`{item['name']}`", item["about"], said))
    table = _table(("name", "in short", "keys that differ from their default"), changed)
    return "\n\n".join(["# Recipes", about, table, "## Keys", _fields(Recipe)]) + "\n"


def metrics() -> str:
    about = "`--metric` accepts these names, and so do the leaderboard's columns. You can [add your own](../metrics.md)."
    return "\n\n".join(["# Metrics", about, _names(listing.metrics("*"))]) + "\n"


def suites() -> str:
    return _sections(
        "Suites and tuning spaces",
        ("Suites", "`bench.py run NAME` runs one; `bench.py plan NAME` says what it would cost.", listing.suites("*")),
        ("Tuning spaces", "`bench.py tune NAME` searches one.", listing.spaces("*")),
    )


def tables_and_plots() -> str:
    return _sections(
        "Tables and plots",
        ("Tables", "`bench.py table NAME --run RUN` prints one.", listing.tables("*")),
        ("Plots", "`bench.py plot NAME --run RUN` draws one.", listing.plots("*")),
        ("Explanations", "`bench.py explain RUN --kind NAME` draws heat maps.", listing.explanations("*")),
        ("Loggers", "`bench.py run SUITE --logger NAME` logs each trial there.", listing.loggers("*")),
    )


def _sections(title: str, *sections: tuple[str, str, Any]) -> str:
    """A page of lists of names, each with its heading and what one does with a name."""
    return "\n\n".join([f"# {title}", *(f"## {head}\n\n{about}\n\n{_names(items)}" for head, about, items in sections)]) + "\n"


def command_line() -> str:
    lines = ["# Command line", "", "In a checkout `python bench.py COMMAND`, installed `lt-bench COMMAND`.", ""]
    for name, command, context in commands():
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        rows = [tuple(record) for p in command.params if (record := p.get_help_record(context))]
        said = [_text(inspect.cleandoc(text)) for text in (command.help or "").split("\f")[0].split("\n\n")]
        lines += [f"## {name}", "", f"    {usage}", "", *(line for text in said for line in (text, ""))]
        lines += [_table(("argument or option", "meaning"), [(f"`{names}`", about) for names, about in rows]), ""]
    return "\n".join(lines)


def commands() -> Iterator[tuple[str, Any, Any]]:
    """Every command of the command line, with its name and a context."""

    def below(command: Any, name: str, parent: Any) -> Iterator[tuple[str, Any, Any]]:
        context = command.context_class(command, info_name=name, parent=parent)
        for key, item in getattr(command, "commands", {}).items():
            yield from below(item, f"{name} {key}".strip(), context)
        if not hasattr(command, "commands"):
            yield name, command, context

    yield from below(typer.main.get_command(app), "", None)


# Markdown ---------------------------------------------------------------------------------------------


def _fields(record: type) -> str:
    """A table of the fields of a dataclass that were declared with `param`."""
    defaults = {f.name: "required" if f.default is dataclasses.MISSING else _value(f.default) for f in dataclasses.fields(record)}
    rows = [(f"`{name}`", defaults[name], _allowed(domain), domain.help) for name, domain in domains(record).items()]
    return _table(("key", "default", "allowed", "meaning"), rows)


def _allowed(domain: Domain) -> str:
    return str(domain) if str(domain) != "any" else ""


def _names(items: Iterable[Mapping[str, Any]]) -> str:
    return _table(("name", "what it is"), [(f"`{item['name']}`", item["about"]) for item in items])


def _value(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = ([_cell(cell) for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ("---",) * len(head), *cells])


def _cell(text: str) -> str:
    # Within backticks of a table Python-Markdown takes a backslash for itself, so that | has to be written as an entity.
    text = re.sub(r"`([^`]*\|[^`]*)`", lambda code: f"<code>{html.escape(code[1])}</code>", text.replace("``", "`"))
    pieces = re.split("(<code>.*?</code>)", text)
    return "".join(piece if piece.startswith("<code>") else _text(piece) for piece in pieces).replace("|", "&#124;")


def _text(text: str) -> str:
    """Words from the code, in which nothing is markup but what stands between backticks."""
    pieces = text.replace("``", "`").split("`")
    for i in range(0, len(pieces), 2):
        for mark in "\\*_<[":
            pieces[i] = pieces[i].replace(mark, "&lt;" if mark == "<" else f"\\{mark}")
    return "`".join(pieces)


def _sentence(text: str) -> str:
    return _text(text[:1].upper() + text[1:]) + ("" if text.endswith(".") else ".")


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
