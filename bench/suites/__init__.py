"""What to ask: suite files and groups of them, the plan of trials that they stand for, and what it costs."""
