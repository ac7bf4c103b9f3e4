"""The journal of a run's studies: Optuna's own, with a digest of everything that was written to it.

``studies.journal.sha256`` has the SHA-256 of the journal's first bytes, and the number of these bytes. A driver that is killed
between the two writes leaves an older digest; the rest of the journal is then checked only as JSON, like the journals of older
runs.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

from lt_core.errors import UserError
from lt_core.whole_files import replacing


def optuna_() -> Any:
    """Optuna, imported late and without its messages.

    Raises:
        UserError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise UserError("tuning needs Optuna, which is not installed: pip install optuna") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module="optuna")
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def open_storage(path: Path) -> Any:
    """The journal at ``path``. The caller holds the run's lock, so that what a killed writer left can be repaired.

    Raises:
        UserError: the journal cannot be opened, or differs from what was written. It is not changed.
    """
    optuna = optuna_()
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    seal = _Seal(path)
    try:
        if path.exists():
            seal.check()
        return optuna.storages.JournalStorage(_sealed(optuna.storages.journal.JournalFileBackend, seal)(str(path)))
    except OSError as error:
        words = f"the journal {path} cannot be opened ({error.strerror or error})"
        raise UserError(f"{words}: make it readable and writable, or choose another --out") from None
    except Exception as error:  # from Optuna, which does not check what it reads
        words = f"the journal {path} is damaged ({' '.join(str(error).split()) or type(error).__name__})"
        remedy = (
            "restore a copy of it, or delete it: its studies then start again, but trials that have a record are not repeated"
        )
        raise UserError(f"{words}: {remedy}") from None


class _Seal:
    """The digest of a journal, which is updated as the journal grows."""

    def __init__(self, path: Path) -> None:
        self.path, self.file = path, path.with_name(path.name + ".sha256")
        self.digest, self.size = hashlib.sha256(), 0

    def check(self) -> None:
        """Check the journal against the digest, and cut off a line that a killed writer did not finish.

        Raises:
            ValueError: the journal differs from what was written.
        """
        whole = self.path.read_bytes()
        if self.file.exists():
            digest, _, size = self.file.read_text().partition("  ")
            if not size.strip().isdecimal() or hashlib.sha256(whole[: int(size)]).hexdigest() != digest:
                raise ValueError("its content does not match its digest")
        if not whole.endswith(b"\n"):
            whole = whole[: whole.rfind(b"\n") + 1]
            self.path.write_bytes(whole)
        for number, line in enumerate(whole.splitlines(), 1):
            if not isinstance(json.loads(line), dict):
                raise ValueError(f"line {number} is not a journal entry")
        self.grow()

    def grow(self) -> None:
        """Update the digest with what was written since the last call."""
        with open(self.path, "rb") as file:
            file.seek(self.size)
            new = file.read()
        self.digest.update(new)
        self.size += len(new)
        with replacing(self.file) as beside:
            beside.write_text(f"{self.digest.hexdigest()}  {self.size}\n")


def _sealed(backend: Any, seal: _Seal) -> Any:
    """A subclass of ``backend`` that keeps ``seal`` up to date."""

    class Sealed(backend):
        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            super().append_logs(logs)
            seal.grow()

    return Sealed
