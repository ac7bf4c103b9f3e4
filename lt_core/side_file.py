"""Files that a trial keeps next to its record on request (`run --keep`): written completely, with a digest in the record."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from lt_core.errors import UserError


@dataclass(frozen=True)
class SideFile:
    """One kind of such files.

    >>> SideFile("predictions", ".npz").path("results/runs/quick/predictions", "b1c80abf7cd78ac8").name
    'b1c80abf7cd78ac8.npz'

    Args:
        name: what they are called: in messages, as a folder of the run, and as the key of a record's environment under which
            the SHA-256 stands in hexadecimal digits. Records of trials that kept none lack it.
        ending: of each file, whose name is otherwise the trial's id.
    """

    name: str
    ending: str

    def path(self, folder: str | Path, trial_id: str) -> Path:
        """The file of a trial in the folder of a run's files of this kind."""
        return Path(folder) / f"{trial_id}{self.ending}"

    def write(self, path: Path, content: bytes | memoryview) -> str:
        """Write ``content`` to a temporary name, fsync, rename; its SHA-256 in hexadecimal digits.

        Raises:
            OSError: the disk is full or the folder cannot be written.
        """
        beside = path.with_suffix(f".{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(beside, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        return hashlib.sha256(content).hexdigest()

    def read(self, path: Path, sha256: str) -> bytes:
        """The content of ``path``.

        Args:
            sha256: of the file, by the trial's record.

        Raises:
            UserError: there is no such file, or it is not the one that the trial wrote.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"the {self.name} {path} cannot be read ({error.strerror}): copy the file from where the trial was run, or run "
                f"the trial with --keep {self.name} into a fresh --out"
            ) from None
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise UserError(
                f"the {self.name} {path} are damaged or another trial's (SHA-256 {found[:8]}…, and {sha256[:8]}… by the record): "
                f"copy the file again, or run the trial with --keep {self.name} into a fresh --out"
            )
        return content


PREDICTIONS = SideFile("predictions", ".npz")
WEIGHTS = SideFile("weights", ".safetensors")
SIDE_FILES = (PREDICTIONS, WEIGHTS)
