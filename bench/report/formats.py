"""The formats of a table. Imports nothing, since the command line is declared from it."""

#: Format → ending of a file that holds it; none for what only a screen shows.
ENDINGS = {"terminal": "", "md": ".md", "csv": ".csv", "latex": ".tex", "json": ".json"}
