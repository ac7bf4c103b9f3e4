"""Writes docs/fidelity.md."""

from pathlib import Path

from tests.lt_core.references.document import written

path = Path("docs") / "fidelity.md"
path.write_text(written())
print(f"wrote {path}")
