"""Where and when trials run. A backend calls the same `lt_core` code and returns the same records."""

from bench.backends.base import Backend, Interrupted, Job, Listener, Source

__all__ = ["Backend", "Interrupted", "Job", "Listener", "Source"]
