"""Text from other people's records, made harmless for whatever reads it next.

Somebody else's method may be called ``=HYPERLINK(…)``, ``<script>`` or an escape sequence. Figures are never changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Control characters, which can make a terminal do more than print: all of C0 except tab and newline, DEL, and C1.
_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"}
_MARKDOWN = str.maketrans({"|": r"\|", "<": "&lt;", ">": "&gt;", "\n": " "})
#: Text that a spreadsheet would evaluate: it begins like a formula and is neither a number nor a range of numbers.
_FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d.,\s%…±−+-]*$)")


def printed(text: str) -> str:
    """``text`` for a terminal.

    >>> printed("\\x1b[2Jsoftmax")
    '\N{REPLACEMENT CHARACTER}[2Jsoftmax'
    """
    return text.translate(_CONTROLS)


def in_markdown(text: str) -> str:
    """``text`` as one cell of a pipe table.

    >>> in_markdown("<b>a|b</b>")
    '&lt;b&gt;a\\\\|b&lt;/b&gt;'
    """
    return printed(text).translate(_MARKDOWN)


def in_csv(value: Any) -> Any:
    """``value`` as a cell of a file that a spreadsheet may open: text that it would evaluate is prefixed with an apostrophe.

    >>> in_csv("=1+1"), in_csv("-0.11 … +0.44"), in_csv(-0.11)
    ("'=1+1", '-0.11 … +0.44', -0.11)
    """
    if not isinstance(value, str):
        return value
    text = printed(value)
    return f"'{text}" if _FORMULA.match(text) else text


def row_in_csv(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with `in_csv` applied to every cell."""
    return {key: in_csv(value) for key, value in row.items()}
