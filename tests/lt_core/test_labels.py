from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lt_core.errors import UserError
from lt_core.labels import format_label, matches, method_of, parse_label, versions, without_version
from lt_core.methods import resolve

NAMES = st.from_regex(r"[A-Za-z_][\w.\-]{0,12}", fullmatch=True)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**9), 10**9)
VALUES = NUMBERS | st.booleans() | NAMES


@given(NAMES, st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_label_is_read_back_as_it_was_written(name, values):
    read_name, read = parse_label(format_label(name, values))
    assert read_name == name
    assert list(read) == list(values)
    for key, value in values.items():
        if isinstance(value, bool):
            assert read[key] == str(value).lower()
        elif isinstance(value, (int, float)):
            assert float(read[key]) == value
        else:
            assert read[key] == value


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ({}, "m"),
        ({"a": 1.0}, "m[a=1]"),
        ({"a": 0.9999, "b": True, "c": "x"}, "m[a=0.9999,b=true,c=x]"),
        ({"a": 1e-05}, "m[a=1e-05]"),
    ],
)
def test_labels_are_short(values, label):
    assert format_label("m", values) == label


@given(NAMES, st.dictionaries(NAMES, VALUES, max_size=4))
def test_the_method_of_a_label_is_its_name(name, values):
    label = format_label(name, values)
    assert method_of(label) == name
    assert method_of(format_label("crt", {"stage_one": label})) == "crt"
    for _ in range(3):  # labels in labels in labels
        values = {"retrain": "0.5", "stage_one": label, "head": "cosine"}
        label = format_label("crt", values)
        assert parse_label(label) == ("crt", values)


def test_a_label_inside_a_label_inside_a_label():
    assert parse_label("a[x=1,b=c[y=2,d=e[f=1,g=2]]]") == ("a", {"x": "1", "b": "c[y=2,d=e[f=1,g=2]]"})
    written = "crt[stage_one=crt[retrain=0.5,stage_one=focal[gamma=2]]]"
    assert resolve(written).label == written


def test_spaces_do_not_matter():
    assert parse_label(" focal [ gamma = 2 , mean=weights ] ") == ("focal", {"gamma": "2", "mean": "weights"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "focal[gamma=2",
        "focal gamma=2",
        "focal[gamma]",
        "focal[=2]",
        "focal[gamma=]",
        "[gamma=2]",
        "a[b=c]]",
        "a[b=c[d=1]",
        "a[b=]c[,d=1]",
    ],
)
def test_anything_else_is_refused_and_quoted(text):
    with pytest.raises(UserError, match=r"does not have the form") as error:
        parse_label(text)
    assert f"'{text}'" in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "label", "fits"),
    [
        ("my_loss", "my_loss@3f2a9c1b[gamma=2]", True),
        ("my_loss@3f2a9c1b", "my_loss@3f2a9c1b[gamma=2]", True),
        ("my_loss@00000000", "my_loss@3f2a9c1b[gamma=2]", False),
        ("my_*", "my_loss@3f2a9c1b", True),
        ("my", "my_loss@3f2a9c1b", False),
        ("crt[stage_one=my_loss[gamma=2]]", "crt[stage_one=my_loss@3f2a9c1b[gamma=2]]", True),
    ],
)
def test_the_version_of_a_plug_in_file_may_be_left_out(pattern, label, fits):
    assert matches(pattern, label) is fits


def test_a_name_with_a_version_is_read_like_any_other():
    label = "crt[stage_one=my_loss@3f2a9c1b[gamma=2],head=mine@77aa00ff]"
    name, values = parse_label(label)
    assert (name, values) == ("crt", {"stage_one": "my_loss@3f2a9c1b[gamma=2]", "head": "mine@77aa00ff"})
    assert format_label(name, values) == label
    assert versions(label) == {"3f2a9c1b", "77aa00ff"}
    assert without_version(label) == "crt[stage_one=my_loss[gamma=2],head=mine]"
    assert [without_version(value) for value in (2.5, None, "plain")] == [2.5, None, "plain"]
