"""What `bench.py verify --certificate` leaves beside a run: which trials were run again, and what figures they gave."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from lt_core.errors import UserError
from lt_core.labels import counted
from lt_core.whole_files import replacing

FILE = "verified.json"


def write(run: Path, sample_seed: int, verdicts: Iterable[Mapping[str, str]], provenance: Mapping[str, object]) -> Path:
    """Write the certificate of the folder ``run``.

    Args:
        sample_seed: the seed that chose the trials.
        verdicts: ``trial_id``, ``label``, ``kind`` and ``words`` of each trial that was run again.
        provenance: what ran them (commit, command, machine).

    Raises:
        UserError: the folder cannot be written.
    """
    file = run / FILE
    content = {"sample_seed": sample_seed, "trials": list(verdicts), **provenance}
    try:
        with replacing(file) as beside:
            beside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror})") from None
    return file


def refuse_smaller(run: Path, sample: int) -> None:
    """Raise an error if the certificate of the folder ``run`` tells of more than ``sample`` trials; a damaged one may go."""
    try:
        held = len(json.loads((run / FILE).read_text(encoding="utf-8"))["trials"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if held > sample:
        raise UserError(
            f"{run / FILE} tells of {counted(held, 'trial')} that were run again, and --sample {sample} would replace it: "
            f"use --sample {held}, or leave out --certificate"
        )


def words(run: Path) -> str:
    """What the certificate of the folder ``run`` says, in a sentence; empty without one.

    Raises:
        UserError: the certificate is damaged.
    """
    file = run / FILE
    if not file.is_file():
        return ""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        kinds = Counter(trial["kind"] for trial in content["trials"])
        on = _on(content.get("machine", {}))  # the first certificates do not say where
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{file} is damaged: write it again with `bench.py verify {run} --certificate`") from None
    said = ", ".join(f"{number} {_KINDS.get(kind, kind)}" for kind, number in kinds.most_common())
    return f"{counted(kinds.total(), 'trial')} drawn at random and run again{on}: {said}."


def _on(machine: Mapping[str, str]) -> str:
    """Where trials were run again, such as " on AMD EPYC (AuthenticAMD 25/1)"."""
    processor = f" ({machine['processor']})" if "processor" in machine else ""
    return f" on {machine['device_name']}{processor}" if machine else ""


_KINDS = {
    "same": "with figures identical to the bit",
    "replicate": "a replicate on another kind of device",
    "OTHER": "with different figures",
}
