"""Sets of picture files: found, listed in a manifest, decoded once, and read by position from a memory-mapped file."""

from lt_core.data.pictures.added import Added, add_set, picture_set

__all__ = ["Added", "add_set", "picture_set"]
