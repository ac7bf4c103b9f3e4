"""Words as HTML: where long names may be broken, and code in notes. Whatever comes in is escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

_AFTER = re.compile(r"([_\[,=])(?=\S)")
_CODE = re.compile(r"`([^`]+)`")


def breakable(text: object) -> Markup:
    """A name that a browser may break after ``_ [ , =``, and so never has to break in mid-word.

    >>> str(breakable("cb_focal[cb_beta=0.9]"))
    'cb_<wbr>focal[<wbr>cb_<wbr>beta=<wbr>0.9]'
    """
    from markupsafe import Markup, escape

    return Markup(_AFTER.sub(r"\1<wbr>", str(escape(text))))


def noted(text: object) -> Markup:
    """A note, with what stands between backticks as code.

    >>> str(noted("a < b: `plot --only`"))
    'a &lt; b: <code>plot --only</code>'
    """
    from markupsafe import Markup, escape

    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))
