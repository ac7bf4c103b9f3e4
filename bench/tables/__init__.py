"""Tables: pure functions of the results frame. Nothing here imports torch or Ray."""

from bench.tables import catalogue, cb, crest, mm
from bench.tables.table import Cell, Column, Row, Table
from lt_core.registry import Registry

#: Table name → function from a store's frame, and the name of a figure, to a `Table`.
TABLES: Registry = Registry("table")
TABLES.add("cb", cb.build)
TABLES.add("mm", mm.build)
TABLES.add("crest", crest.build)
TABLES.add("catalogue", catalogue.build)

__all__ = ["TABLES", "Cell", "Column", "Row", "Table"]
