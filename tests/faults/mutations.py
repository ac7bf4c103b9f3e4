"""What can happen to a file: bits flip, blocks are zeroed, lost or repeated, and well-formed content gets other values."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

#: Values to put in place of others.
ODD = [
    None, True, False, 0, -1, 7, 2**53 + 1, 2**63, 10**30, 0.5, -0.5, 1e308, "", "x", "0", "1e9", "\x00", "=1+1", "'", "a" * 300,
    [], [0], [[0]], [None], {}, {"x": 0}, [[1, 2], [3]], "2026-01-01",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """``content`` as a disk, a torn write or a bad copy might leave it; never as it was."""
    place = draw(st.integers(0, len(content) - 1))
    kind = draw(st.sampled_from(["flip", "flip", "flip", "zero", "cut", "drop", "again"]))
    length = draw(st.integers(1, min(200, len(content))))
    if kind == "flip":
        made = content[:place] + bytes([content[place] ^ (1 << draw(st.integers(0, 7)))]) + content[place + 1 :]
    elif kind == "zero":
        made = content[:place] + bytes(len(content[place : place + length])) + content[place + length :]
    elif kind == "cut":
        made = content[:place]
    elif kind == "drop":
        made = content[:place] + content[place + length :]
    else:
        made = content[:place] + content[place : place + length] * 2 + content[place + length :]
    return made if made != content else content[:-1]


@st.composite
def altered(draw: st.DrawFn, tree: Any) -> Any:
    """``tree``, of mappings and lists, with one of its values replaced, removed, repeated or added to."""
    made = copy.deepcopy(tree)
    here = made
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = draw(st.sampled_from(keys))
        inside = here[key]
        if isinstance(inside, (dict, list)) and inside and draw(st.integers(0, 4)):
            here = inside
            continue
        kind = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add"]))
        if kind == "replace":
            here[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
        elif kind == "remove":
            del here[key]
        elif isinstance(here, dict):
            here[draw(st.sampled_from(["colour", "x", "methods", "status"]))] = draw(st.sampled_from(ODD))
        else:
            here.insert(key, copy.deepcopy(inside))
        return made
