"""Which modules of a package import which, read from their source, and whether they form a circle."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Collection, Iterator
from pathlib import Path

#: Module → the modules of the same package that it imports.
Graph = dict[str, set[str]]


def import_graph(package: Path) -> Graph:
    """The imports within the package in this folder, by full names, including those for type checkers and those in functions.

    Importing ``a.b.c`` runs ``a`` and ``a.b`` first, so these count too, except for a module inside them, where they are running
    already.
    """
    files = {_name(file, package): file for file in sorted(package.rglob("*.py"))}
    graph: Graph = {}
    for module, file in files.items():
        inside = module if file.name == "__init__.py" else module.rpartition(".")[0]
        imported = set(_imported(ast.parse(file.read_text()), inside, files))
        run = {outer for name in imported for outer in _outer(name) if not module.startswith(f"{outer}.")}
        graph[module] = ((imported | run) & set(files)) - {module}
    return graph


def circle(graph: Graph) -> list[str]:
    """A circle in which each module imports the next and the last is the first; empty if there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))  # graphlib puts what is imported before what imports it
    return []


def _name(file: Path, package: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(tree: ast.AST, inside: str, modules: Collection[str]) -> Iterator[str]:
    """The modules that a file in the package ``inside`` imports, or imports names from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = inside.split(".")[: inside.count(".") + 2 - node.level] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (name if (name := f"{base}.{alias.name}") in modules else base for alias in node.names)


def _outer(name: str) -> Iterator[str]:
    """The packages that contain a module."""
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts)))
