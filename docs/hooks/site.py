"""What MkDocs does beyond rendering docs/: the reference, the gallery's pictures, the README as first page, and files outside
docs/ that pages link to.

Pages link to files of the repository by relative paths, which work on GitHub. Here such a file becomes a page or a file of the
site, below repository/.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from docs.hooks import gallery, reference

ROOT = Path(__file__).parents[2]
INDEX, OUTSIDE = "index.md", "repository/"
_LINK = re.compile(r"(\]\()([^)\s]+?)(#[^)\s]*)?(\))")
_LOADED = re.compile(r"""<(?:(?:script|img|iframe|source)\b[^>]*?\bsrc|link\b[^>]*?\bhref)=["']?((?:https?:)?//[^"'\s>]+)""")
_log = logging.getLogger("mkdocs.hooks.site")


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages, and the files outside docs/ that pages link to."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, INDEX, content=(ROOT / "README.md").read_text()))
    for name, text in reference.pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    for name, picture in gallery.pictures():
        files.append(File.generated(config, name, content=picture))
    waiting = [file for file in files if file.is_documentation_page()]
    while waiting:
        page = waiting.pop()
        for path in outside(page.content_string, page.src_uri):
            name = f"{OUTSIDE}{path}"
            if files.get_file_from_path(name):
                continue
            if not (ROOT / path).is_file():
                _log.warning("%s links to %s, which is not there", page.src_uri, path)
                continue
            added = File.generated(config, name, abs_src_path=str(ROOT / path))
            files.append(added)
            if added.is_documentation_page():
                waiting.append(added)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links by the places that files have in the site; the gallery with its sections."""
    shown = f"{markdown}\n\n{gallery.sections()}" if page.file.src_uri == gallery.PAGE else markdown
    return relinked(shown, page.file.src_uri)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that would load anything from another host."""
    for url in loaded(output):
        _log.warning("%s loads %s from another host", page.file.src_uri, url)
    return output


def outside(markdown: str, page: str) -> list[str]:
    """The paths, in the repository, of the files outside docs/ that a page of the site links to."""
    found = (_in_repository(link[2], page) for link in _LINK.finditer(_prose(markdown)))
    return [path for path in found if path and not path.startswith("docs/") and path != "README.md"]


def relinked(markdown: str, page: str) -> str:
    """The text of a page of the site with its links as they are there.

    >>> relinked("[rows](../results/quick/tables/cb.md#top) of [tuning](tune.md)", "run.md")
    '[rows](repository/results/quick/tables/cb.md#top) of [tuning](tune.md)'
    """

    def moved(link: re.Match[str]) -> str:
        path = _in_repository(link[2], page)
        if not path:
            return link[0]
        there = INDEX if path == "README.md" else path.removeprefix("docs/") if path.startswith("docs/") else OUTSIDE + path
        return f"{link[1]}{posixpath.relpath(there, posixpath.dirname(page) or '.')}{link[3] or ''}{link[4]}"

    return _LINK.sub(moved, markdown)


def loaded(html: str) -> list[str]:
    """What a page loads from other hosts.

    >>> loaded('<script src="https://unpkg.com/x"></script><a href="https://example.org">a link loads nothing</a>')
    ['https://unpkg.com/x']
    """
    return _LOADED.findall(html)


def _in_repository(target: str, page: str) -> str:
    """The path in the repository of the file that a page of the site links to; empty for another host or a place in the page."""
    if ":" in target or target.startswith("#") or page.startswith("reference/"):  # whose links are those of the site
        return ""
    source = "README.md" if page == INDEX else page.removeprefix(OUTSIDE) if page.startswith(OUTSIDE) else f"docs/{page}"
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def _prose(markdown: str) -> str:
    """Without blocks of code, in which brackets are no links."""
    return re.sub(r"```.*?```", "", markdown, flags=re.S)
