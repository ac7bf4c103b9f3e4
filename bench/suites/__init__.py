"""Suite files and groups of them, the plan of the trials that they expand to, and its cost."""
