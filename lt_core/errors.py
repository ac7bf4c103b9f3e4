"""The error that is the user's to mend, and the nearest valid word that it names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    r"""Bad input. Its message is one clear sentence: what, where, and what to write instead.

    The command line prints the message alone and leaves with exit code 2; no traceback. It may quote a file of somebody else's:
    control characters, with which a terminal can be told things, are shown as what they are.

    >>> str(UserError("no file 'a\x1b[2Jb.png'"))
    "no file 'a\\x1b[2Jb.png'"
    """

    def __init__(self, message: object = "") -> None:
        super().__init__("".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in str(message)))


def in_a_line(error: BaseException) -> str:
    """The kind of ``error`` and the first line of what it says."""
    lines = str(error.msg if isinstance(error, SyntaxError) else error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """The valid word that is most similar to ``word``; None if there are no valid words."""
    words = list(valid)
    close = difflib.get_close_matches(word.lower(), [w.lower() for w in words], n=1, cutoff=0.0)
    return next((w for w in words if close and w.lower() == close[0]), None)


def unknown(kind: str, word: str, valid: Iterable[str], where: str = "") -> UserError:
    """The error for a word that is not in ``valid``; it suggests the most similar one."""
    valid = sorted(valid)
    hint = nearest(str(word), valid)
    place = f"{where}: " if where else ""
    if hint is None:
        return UserError(f"{place}unknown {kind} '{word}': none is registered")
    return UserError(f"{place}unknown {kind} '{word}': did you mean '{hint}'?")
