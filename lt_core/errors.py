"""The error for mistakes that the user can fix, and suggestions of the nearest valid word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    r"""Bad input. Its message is one clear sentence: what, where, and what to write instead.

    The command line prints only the message, without a traceback, and exits with code 2. A message may quote somebody else's
    file, so control characters, which could manipulate a terminal, are shown escaped.

    >>> str(UserError("no file 'a\x1b[2Jb.png'"))
    "no file 'a\\x1b[2Jb.png'"
    """

    def __init__(self, message: object = "") -> None:
        super().__init__("".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in str(message)))


def in_a_line(error: BaseException) -> str:
    """The type of ``error`` and the first line of its message."""
    lines = str(error.msg if isinstance(error, SyntaxError) else error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


#: A word that is less similar than this (by `difflib.SequenceMatcher.ratio`) is not suggested. For up to three letters less is
#: enough, because one typing error changes half of the word.
_SIMILAR, _SIMILAR_IF_SHORT = 0.6, 0.45
_LISTED = 12  # words that a message lists where none is similar
_FEW_MORE = 2  # it lists so many more, because saying that they were left out takes as much room


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """The valid word that is most similar to ``word``; None if none is similar.

    A prefix such as ``timm/`` does not count, because all names of that library share it.
    """
    prefix = word[: word.rfind("/") + 1].lower()
    bare = word.lower().removeprefix(prefix)
    words = {valid_word.lower().removeprefix(prefix): valid_word for valid_word in valid}
    close = difflib.get_close_matches(bare, words, n=1, cutoff=_SIMILAR if len(bare) > 3 else _SIMILAR_IF_SHORT)
    return words[close[0]] if close else None


def unknown(kind: str, word: str, valid: Iterable[str], where: str = "") -> UserError:
    """The error for a word that is not in ``valid``; it suggests the most similar one, or lists the valid ones.

    >>> print(unknown("colour", "rde", ["red", "blue"]))
    unknown colour 'rde': did you mean 'red'?
    >>> print(unknown("colour", "purple-ish", ["red", "blue"]))
    unknown colour 'purple-ish': choose from blue, red
    """
    place = f"{where}: " if where else ""
    valid = sorted(valid)
    if hint := nearest(str(word), valid):
        return UserError(f"{place}unknown {kind} '{word}': did you mean '{hint}'?")
    return UserError(f"{place}unknown {kind} '{word}': " + (f"choose from {some(valid)}" if valid else "none is registered"))


def some(words: Iterable[str]) -> str:
    """A list of words for a message, without repetitions, and no longer than is useful to its reader.

    >>> some(["b", "a", "b", *map(str, range(13))])
    'b, a, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 3 more'
    """
    found = list(dict.fromkeys(words))
    if len(found) <= _LISTED + _FEW_MORE:
        return ", ".join(found)
    return f"{', '.join(found[:_LISTED])} and {len(found) - _LISTED} more"
