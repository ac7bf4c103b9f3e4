"""Pages of the documentation, and what can be run in them: their files and their commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cached_property

from tests.bench.harness import ROOT

#: A line of a page that calls the command line, from a checkout or installed as `lt-bench`.
COMMAND = re.compile(r"^(?:\$ )?(?:python bench\.py|lt-bench) (.*)$")


@dataclass(frozen=True)
class Page:
    """A Markdown page, by its path in the repository."""

    name: str

    @cached_property
    def text(self) -> str:
        return (ROOT / self.name).read_text()

    @cached_property
    def files(self) -> dict[str, str]:
        """The first file that a paragraph names → the block of code after that paragraph."""
        return dict(re.findall(r"`(\w+\.\w+)`(?:(?!\n\n).)*\n\n```\w+\n(.*?)```", self.text, re.S))

    @cached_property
    def commands(self) -> list[list[str]]:
        """The commands that the page shows at a prompt (`    $ python bench.py …`), in order. A test runs each of them."""
        return [shlex.split(line, comments=True)[2:] for line in re.findall(r"^    \$ (python bench\.py .*)$", self.text, re.M)]

    @cached_property
    def every_command(self) -> list[list[str]]:
        """Also the commands in blocks of bash, which need data, a cluster or hours, and are not run by tests."""
        blocks = re.findall(r"```bash\n(.*?)```", self.text, re.S)
        lines = (COMMAND.match(line) for line in "\n".join(blocks).splitlines())
        return [*self.commands, *(shlex.split(found[1], comments=True) for found in lines if found)]

    def python(self) -> list[str]:
        """The page's blocks of Python, in order."""
        return re.findall(r"```python\n(.*?)```", self.text, re.S)


def every_page() -> list[Page]:
    """The README and all pages below docs/."""
    found = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    return [Page(name) for name in ("README.md", *found)]


def shortened(words: list[str], **options: str) -> list[str]:
    """A command with ``options`` that make it short, except for those that the command gives itself."""
    given = {word.partition("=")[0] for word in words}
    extra = [(f"--{name.replace('_', '-')}", value) for name, value in options.items()]
    return [*words, *(word for name, value in extra if name not in given for word in (name, value))]
