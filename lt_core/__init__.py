"""One trial of the long-tail benchmark: a specification in, a result out.

``lt_core`` knows torch and nothing of suites, Ray or tables. Importing this package does not import torch,
so that tables and command-line help start at once; ``lt_core.training`` does.
"""

__version__ = "0.1.0"
