"""What a reader sees of a run: tables, charts, the page, the exported leaderboard. Nothing here imports torch or Ray."""
