"""Trials made to happen: the driver, its backends, the line that tells of progress, and rows run again."""
