"""One trial of the long-tail benchmark: a specification in, a result out.

``lt_core`` knows torch and nothing of suites, Ray or tables. Importing this package does not import torch,
so that tables and command-line help start at once; ``lt_core.training`` does.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("lt-bench")
except PackageNotFoundError:  # run from a folder that was never installed
    __version__ = "0+unknown"
