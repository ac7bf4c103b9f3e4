"""Names on the page break between their pieces, notes show code as code, and neither lets markup in."""

import pytest

from bench.report.page.words import breakable, noted


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("threshold_moving", "threshold_<wbr>moving"),
        ("crest_plus[unsup_ratio=2]", "crest_<wbr>plus[<wbr>unsup_<wbr>ratio=<wbr>2]"),
        ("mixup[alpha=1,beta=2]", "mixup[<wbr>alpha=<wbr>1,<wbr>beta=<wbr>2]"),
        ("digits IF 50, 10", "digits IF 50, 10"),  # a space is a break already
        ("my_", "my_"),
        ("<a_b>", "&lt;a_<wbr>b&gt;"),
    ],
)
def test_a_name_breaks_after_its_pieces(name, shown):
    assert str(breakable(name)) == shown


def test_backticks_in_a_note_become_code_and_alone_stay():
    assert str(noted("to draw others: `plot --only <NAMES>`")) == "to draw others: <code>plot --only &lt;NAMES&gt;</code>"
    assert str(noted("one ` alone")) == "one ` alone"
