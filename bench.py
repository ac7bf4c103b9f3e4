"""The entry point of a checkout: ``python bench.py …`` is the same as ``lt-bench …``."""

from bench.cli import main

if __name__ == "__main__":
    main()
