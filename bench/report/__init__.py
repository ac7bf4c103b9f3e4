"""What a reader sees of a run: tables, charts, the page, and the exported leaderboard. Nothing here imports torch or Ray."""
