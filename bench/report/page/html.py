"""HTML made from facts and templates. The same records give the same bytes, and the page makes no network request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.analysis.leaderboard import measured
from bench.records.finding import name_for
from bench.report.page import board, charts, facts
from bench.report.page.looks import Look, looks
from bench.report.page.words import breakable, noted
from lt_core.errors import UserError
from lt_core.whole_files import replacing

if TYPE_CHECKING:
    import pandas as pd

    from bench.records.store import Store

_TEMPLATES = Path(__file__).parent / "templates"
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render(store: Store) -> str:
    """The page of a run.

    Raises:
        UserError: the run has no trials.
    """
    frame = store.frame()
    if frame.empty:
        raise UserError(f"{store.path} has no trials yet: start it with `bench.py run`")
    (drawn, left_out), (seen, damaged) = charts.drawn(store), looks(store)
    return document(frame, store.path.resolve().name, drawn, [*left_out, *damaged], seen, run=name_for(store.path))


def document(
    frame: pd.DataFrame,
    title: str,
    drawn: Sequence[Any] = (),
    left_out: Sequence[tuple[str, str]] = (),
    seen: Sequence[Look] = (),
    run: str = "",
    home: str = "",
    plotly_file: str = "",
    rows: pd.DataFrame | None = None,
) -> str:
    """The page of the trials of ``frame``.

    Args:
        drawn: charts, and ``left_out`` (kind, reason) of those that cannot be drawn.
        seen: where methods look.
        run: what a user gives to ``--run``, if these are the trials of a single run.
        home: address of the site's first page, if this page is part of a site.
        plotly_file: address of plotly.js; without it, the page contains plotly.js itself.
        rows: the leaderboard of these trials by the headline metric, if it has been made already.
    """
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    return rendered(
        "page.html",
        title=title,
        home=home,
        plotly_file=plotly_file,
        run=run,
        head=facts.header(frame),
        board=board.board(frame) if rows is None else board.board_of(measured(rows)),
        charts=drawn,
        left_out=left_out,
        looks=seen,
        failures=facts.failures(frame),
        provenance=facts.provenance(frame),
        subsets=facts.subsets(frame),
        commands=facts.commands(frame),
        plotly=Markup(get_plotlyjs()) if drawn and not plotly_file else "",
    )


def rendered(template: str, folder: Path | None = None, **values: Any) -> str:
    """Render a template of this package, or of ``folder``, whose templates may include those of this package."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*([folder] if folder else ()), _TEMPLATES]), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"data": lambda value: Markup(embedded(value)), "breakable": breakable, "noted": noted}
    style, script = (Markup((_TEMPLATES / name).read_text()) for name in ("style.css", "page.js"))
    return environment.get_template(template).render(style=style, script=script, **values)


def embedded(value: Any) -> str:
    """JSON that is safe inside <script>: none of its characters can end the element or start a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return "".join(_ESCAPES.get(letter, letter) for letter in text)


def write(store: Store, file: Path) -> None:
    """Write the page of a run to ``file``, completely or not at all.

    Raises:
        UserError: there are no trials, or the file cannot be written.
    """
    if not file.name or file.is_dir():
        raise UserError(f"'{file}' is a folder: name a file such as {file / 'report.html'}")
    text = render(store)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as beside:
            beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be written ({error.strerror}): choose another --out") from None
