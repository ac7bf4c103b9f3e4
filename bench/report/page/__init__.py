"""A run as one HTML page: leaderboard, charts, failures, provenance, and commands. Nothing here imports torch or Ray."""

from bench.report.page.html import document, render, write

__all__ = ["document", "render", "write"]
