"""What a results frame says: metrics, statistics, published figures, the leaderboard. Pure functions of the frame."""
