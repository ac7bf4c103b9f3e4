"""The layers of the harness: its wings are in order, and each imports only from those before it."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench
from tests.import_graph import circle, import_graph

#: The contract: a wing may import from the wings named before it, and never from a later one.
WINGS = ("records", "analysis", "report", "suites", "running", "tuning", "explaining", "cli")
#: The rooms of the report, by the same rule.
ROOMS = ("tables", "render", "charts", "plots", "page", "site")
BENCH = Path(bench.__file__).parent


@pytest.fixture(scope="module")
def graph():
    return import_graph(BENCH)


def backwards(graph, inside, order):
    """(importer, imported) wherever a module of a part in ``order`` imports from a later part."""
    place = {f"{inside}.{part}": number for number, part in enumerate(order)}

    def of(module):
        return next((number for part, number in place.items() if f"{module}.".startswith(f"{part}.")), None)

    pairs = [(module, other) for module, others in graph.items() for other in others]
    return [
        (module, other)
        for module, other in pairs
        if (here := of(module)) is not None and (there := of(other)) is not None and there > here
    ]


def test_every_folder_is_a_wing():
    assert {path.name for path in BENCH.iterdir() if (path / "__init__.py").is_file()} == set(WINGS)
    assert {path.name for path in BENCH.glob("*.py")} == {"__init__.py", "shipped.py"}, (
        "where files that come along lie: below all"
    )


def test_each_wing_knows_only_the_wings_before_it(graph):
    assert backwards(graph, "bench", WINGS) == []
    assert backwards(graph, "bench.report", ROOMS) == []


def test_a_step_backwards_is_found():
    graph = {"pkg.a.x": {"pkg.b"}, "pkg.b": {"pkg.a.x"}, "pkg.other": {"pkg.b"}, "pkg.ab": {"pkg.b"}}
    assert backwards(graph, "pkg", ("a", "b")) == [("pkg.a.x", "pkg.b")]
    assert backwards(graph, "pkg", ("b", "a")) == [("pkg.b", "pkg.a.x")]


def test_no_module_imports_itself_by_way_of_others(graph):
    assert circle(graph) == []
