"""A record as a file: the SHA-256 of a JSON text, and this text with what a trial measured. Old records have no digest.

{"sha256":"…","schema":2,"trial_id":"0123456789abcdef","spec":{…},…}
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

try:
    from orjson import loads
except ImportError:  # without it, reading is slower
    from json import loads  # type: ignore[assignment]

from lt_core.recorded import check_sums
from lt_core.result import OK, SCHEMA, NewerVersion, TrialResult, refuse_newer

#: Schema of a file with a digest. It tells older versions, which do not know the digest, that a newer one wrote the file.
SEALED = SCHEMA + 1
_HEAD = re.compile(rb'\{"sha256":"([0-9a-f]{64})",')


def encoded(result: TrialResult) -> bytes:
    """The file of a trial's record."""
    return sealed({**result.to_record(), "schema": SEALED})


def sealed(record: Mapping[str, Any]) -> bytes:
    """``record`` as JSON, preceded by its SHA-256.

    >>> sealed({"schema": 2})[:20], sealed({"schema": 2})[-14:]
    (b'{"sha256":"219d3f76c', b'f","schema":2}')
    """
    content = json.dumps(record, allow_nan=False, separators=(",", ":")).encode()[1:]
    return b'{"sha256":"%s",%s' % (hashlib.sha256(content).hexdigest().encode(), content)


def decoded(content: bytes) -> tuple[dict[str, Any], bool]:
    """The content of a record's file, and whether a digest confirms it.

    Raises:
        NewerVersion: it contains something that this version does not know.
        ValueError: it is not JSON, or differs from what was written.
    """
    head = _HEAD.match(content)
    whole = head is not None and hashlib.sha256(memoryview(content)[head.end() :]).hexdigest().encode() == head[1]
    try:
        record = loads(content)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError(f"it is a JSON {type(record).__name__}, not an object")
    meant = record.pop("sha256", None) is not None or record.get("schema") == SEALED
    if record.get("schema") == SEALED:
        record["schema"] = SCHEMA
    if meant and not whole:
        refuse_newer(record)
        raise ValueError("its content does not match its digest")
    return record, whole


def result_of(path: Path, record: dict[str, Any], vouched: bool) -> TrialResult:
    """The result of a trial from its ``record``, which was read from ``path``; ``vouched``: its digest is correct.

    Raises:
        NewerVersion: the record is intact, but this version cannot read it.
        ValueError: the record is damaged, or its file is named after another trial.
    """
    try:
        result = TrialResult.from_record(record)
        if result.status == OK and not vouched:
            check_sums(record)
    except NewerVersion:
        raise
    except ValueError as error:
        if vouched:  # then it was written like this
            raise NewerVersion(f"its digest is correct, but {error}") from None
        raise
    if path.name != f"{result.trial_id}.json":
        there = path.with_name(f"{result.trial_id}.json")
        what = f"is a copy of {there.name}" if there.exists() else f"contains trial {result.trial_id}"
        raise Misnamed(what, there.name if not there.exists() else "")
    return result


class Misnamed(ValueError):
    """A file is not named after its trial. ``rename`` is the name that it should have, or empty if such a file exists."""

    def __init__(self, what: str, rename: str) -> None:
        super().__init__(what)
        self.rename = rename
