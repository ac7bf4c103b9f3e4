"""The leaderboard as a website: a folder of pages that can be read from the disk, without a network, and published as it is."""

from bench.report.site.write import Site, write

__all__ = ["Site", "write"]
