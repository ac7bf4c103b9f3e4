"""Where and when trials run. A backend calls the same `lt_core` code and returns the same records."""

from bench.running.backends.base import Backend, Interrupted, Job, Listener, Source

__all__ = ["Backend", "Interrupted", "Job", "Listener", "Source"]
