"""The formats of a table. This module imports nothing, because the command line is declared from it."""

#: Format → suffix of its files; empty for the terminal's.
ENDINGS = {"terminal": "", "md": ".md", "csv": ".csv", "latex": ".tex", "json": ".json"}
