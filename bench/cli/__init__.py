"""The command line."""

from bench.cli.app import main

__all__ = ["main"]
