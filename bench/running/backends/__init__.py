"""Where and when trials run. A backend calls the same `lt_core` code and returns the same records."""

from bench.running.backends.base import Backend, Interrupted, Job, JobSource, Listener

__all__ = ["Backend", "Interrupted", "Job", "JobSource", "Listener"]
