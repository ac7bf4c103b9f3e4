"""Files that a trial keeps next to its record on request (`run --keep`): written completely, with a digest in the record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lt_core.errors import UserError
from lt_core.whole_files import replacing


@dataclass(frozen=True)
class SideFile:
    """One kind of file next to records.

    >>> SideFile("predictions", ".npz").path("results/runs/quick/predictions", "b1c80abf7cd78ac8").name
    'b1c80abf7cd78ac8.npz'

    Args:
        name: the name of the kind in messages, of its folder in the run, and of the key of a record's environment that holds the
            SHA-256 in hexadecimal digits. Records of trials that kept no such file lack the key.
        ending: the end of each file's name; what comes before it is the trial's ID.
    """

    name: str
    ending: str

    def path(self, folder: str | Path, trial_id: str) -> Path:
        """The path of a trial's file in ``folder``, where a run has its files of this kind."""
        return Path(folder) / f"{trial_id}{self.ending}"

    def write(self, path: Path, content: bytes | memoryview) -> str:
        """Write ``content`` under a temporary name, sync and rename the file, and return its SHA-256 in hexadecimal digits.

        Raises:
            OSError: the disk is full or the folder cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, sync=True) as beside:
            beside.write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    def read(self, path: Path, sha256: str) -> bytes:
        """The content of ``path``.

        Args:
            sha256: that of the file according to the trial's record.

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
                f"the {self.name} {path} are damaged or belong to another trial (SHA-256 {found[:8]}…, but {sha256[:8]}… in the "
                f"record): copy the file again, or run the trial with --keep {self.name} into a fresh --out"
            )
        return content


PREDICTIONS = SideFile("predictions", ".npz")
WEIGHTS = SideFile("weights", ".safetensors")
SIDE_FILES = (PREDICTIONS, WEIGHTS)
