"""Suite files and groups of them, the plan of trials that they expand to, and its cost."""
