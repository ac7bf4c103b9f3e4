"""Writing the site. The same rows give the same bytes, and a page loads only files from the site's own folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis.leaderboard import leaderboard, measured
from bench.records import HEADLINE, certificate
from bench.records.finding import name_for
from bench.records.store import Store
from bench.report import page
from bench.report.export import FILES, SUBMITTED, export_board, folder_of, frame_of
from bench.report.page.board import board_of
from bench.report.page.charts import Drawn, drawn, on_page
from bench.report.page.html import rendered
from bench.report.site import contents
from bench.report.site.comparison import ABOUT, comparison
from bench.report.tables.claims import build as claims
from lt_core.errors import UserError

_TEMPLATES = Path(__file__).parent / "templates"
FIDELITY = Path("docs/fidelity.md")
ARCHIVE, PLOTLY = "archive", "plotly.js"
_MARK = ".lt-bench-site"  # a file that marks the folder of a site


@dataclass
class Site:
    """What the site is made of.

    Attributes:
        stores: the runs whose rows it shows; those under ``results/submitted`` are shown as submitted.
        evidence: folder of the runs that claims are checked against.
    """

    stores: Sequence[Store]
    evidence: Path = Path("results")

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The trials of all runs."""
        return frame_of(self.stores)

    @cached_property
    def whole_board(self) -> pd.DataFrame:
        """Their leaderboard."""
        return leaderboard(self.frame, HEADLINE)

    @cached_property
    def board(self) -> pd.DataFrame:
        """Their leaderboard, without methods that papers print for the same columns but nobody ran."""
        rows = measured(self.whole_board)
        submitted = {folder_of(store) for store in self.stores if store.path.parent.name == SUBMITTED}
        return rows.assign(standing=[contents.standing(run, submitted) for run in rows["run"]])

    def pages(self, archive: Sequence[str]) -> Iterator[tuple[str, str]]:
        """(path below the site's folder, text) of each page; ``archive`` holds the names of the releases that are kept."""
        sets, methods = contents.by_dataset(self.board), contents.rows_of_methods(self.board)
        described = contents.method_pages(list(methods), FIDELITY)
        runs = {store.path.name: store for store in self.stores}
        yield "index.html", _page(
            "index.html", "Leaderboard", "",
            summaries={name: contents.summaries(rows) for name, rows in sets.items()},
            facts=[("trials", f"{self.board['n'].sum():,}"), ("methods", f"{len(methods)}"), ("data sets", f"{len(sets)}")],
            methods=described, runs={name: certificate.words(runs[name].path) for name in sorted(runs)}, files=FILES,
            archive=archive,
        )  # fmt: skip
        for name, rows in sets.items():
            yield f"data/{name}.html", _page("data.html", name, "../", board=board_of(rows))
        for method in described:
            rows = methods[method.name]
            chart = comparison(rows, self.board)
            yield f"methods/{method.name}.html", _page(
                "method.html", method.name, "../", board=board_of(rows, one_method=True), method=method,
                command=rows.loc[rows["n"].idxmax(), "command"], charts=[on_page(chart, ABOUT)] if chart else [],
            )  # fmt: skip
        yield "claims.html", _page("claims.html", "Claims, checked", "", tables=claims(self.evidence))
        for name, store in sorted(runs.items()):
            charts = drawn(store)
            yield (
                f"runs/{name}.html",
                page.document(
                    store.frame(), name, *charts, run=name_for(store.path), home="../index.html", plotly_file=f"../{PLOTLY}"
                ),
            )


def _page(template: str, title: str, up: str, charts: Sequence[Drawn] = (), **values: Any) -> str:
    plotly = f"{up}{PLOTLY}" if charts else ""
    return rendered(template, _TEMPLATES, title=title, up=up, home=f"{up}index.html", charts=charts, plotly_file=plotly, **values)


def write(site: Site, out: Path, release: str = "", say: Callable[[str], None] = print) -> int:
    """Write ``site`` into the folder ``out``, replacing an earlier site there, and return the number of pages.

    Args:
        release: also keep the leaderboard's files under ``archive/<release>``; those of earlier releases stay.

    Raises:
        UserError: the folder is not empty and not a site's, the release is already there with other rows, or the disk cannot be
            written.
    """
    from plotly.offline import get_plotlyjs

    if out.exists() and not (out / _MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and was not written by this program: choose another --out, or remove it")
    if release and (Path(release).name != release or not release.strip(".")):
        raise UserError(f"--release must be a simple name without a path, such as v0.1.0; got '{release}'")
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        (part / _MARK).touch()
        if (out / ARCHIVE).is_dir():
            shutil.copytree(out / ARCHIVE, part / ARCHIVE)
        export_board(site.frame, site.whole_board, site.stores, part)
        if release:
            _keep(part, release)
        archive = sorted(path.name for path in part.glob(f"{ARCHIVE}/*"))
        pages = 0
        for name, text in site.pages(archive):
            (part / name).parent.mkdir(exist_ok=True)
            (part / name).write_text(text, encoding="utf-8")
            pages += 1
            if name.startswith("runs/"):
                say(f"  {name}")
        (part / PLOTLY).write_text(get_plotlyjs(), encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        part.rename(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror or error}): choose another --out") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return pages


def _keep(part: Path, release: str) -> None:
    """Copy the leaderboard's files into the archive of ``release``."""
    folder = part / ARCHIVE / release
    folder.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        kept = folder / file
        if kept.exists() and kept.read_bytes() != (part / file).read_bytes():
            raise UserError(f"release {release} is already in the archive with different rows: give the new release another name")
        shutil.copyfile(part / file, kept)
