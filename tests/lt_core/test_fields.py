from __future__ import annotations

from dataclasses import dataclass

import pytest

from lt_core.errors import UserError
from lt_core.fields import build, domains, param


@dataclass(frozen=True)
class Oven:
    dish: str = param(help="what is baked")
    degrees: float = param(180.0, "heat", above=0, high=300)
    minutes: int = param(30, "time", low=1)
    fan: bool = param(False, "hot air")
    shelf: str = param("middle", "where", choices=("top", "middle"))
    pauses: tuple[float, ...] = param((), "fractions", low=0, below=1)
    probe: int | None = param(None, "thermometer", low=0)


def test_values_become_the_declared_types():
    oven = build(Oven, {"dish": "pie", "degrees": 200, "minutes": 40.0, "pauses": [0, 0.5], "fan": True})
    assert oven == Oven("pie", 200.0, 40, True, "middle", (0.0, 0.5), None)
    assert (type(oven.degrees), type(oven.minutes), type(oven.pauses[0])) == (float, int, float)


def test_text_of_a_command_line_is_read_as_the_type_says():
    oven = build(Oven, {"dish": "7", "degrees": "2e2", "minutes": "40", "fan": "True", "probe": "3"})
    assert oven == Oven("7", 200.0, 40, True, "middle", (), 3)
    assert build(Oven, {"dish": "pie", "probe": "none"}).probe is None
    assert build(Oven, {"dish": "pie", "pauses": "[0.1, 0.5]"}).pauses == (0.1, 0.5)
    assert build(Oven, {"dish": "pie", "pauses": "[]"}).pauses == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"minuts": 3}, "unknown key 'minuts': did you mean 'minutes'"),
        ({"degrees": "hot"}, "degrees must be a number, got 'hot'"),
        ({"minutes": 1.5}, "minutes must be a whole number, got 1.5"),
        ({"minutes": "1.5"}, "minutes must be a whole number, got '1.5'"),
        ({"minutes": float("inf")}, "minutes must be a whole number, got inf"),
        ({"minutes": True}, "minutes must be a whole number, got True"),
        ({"degrees": None}, "degrees must be a number, got None"),
        ({"fan": 1}, "fan must be true or false, got 1"),
        ({"fan": "yes"}, "fan must be true or false, got 'yes'"),
        ({"dish": 3}, "dish must be text, got 3"),
        ({"pauses": 0.5}, "pauses must be a list such as [3,2,1], got 0.5"),
        ({"pauses": "0.5"}, "pauses must be a list such as [3,2,1], got '0.5'"),
        ({"pauses": "[0.5,long]"}, "pauses must be a list such as [3,2,1], got '[0.5,long]'"),
        ({"pauses": "[0.5,1]"}, "pauses must be in [0, 1), got 1.0"),
        ({"probe": "deep"}, "probe must be of type"),
        ({"degrees": 0}, "degrees must be in (0, 300], got 0.0"),
        ({"degrees": 300.1}, "degrees must be in (0, 300], got 300.1"),
        ({"minutes": 0}, "minutes must be in [1, inf), got 0"),
        ({"pauses": [0.5, 1.0]}, "pauses must be in [0, 1), got 1.0"),
        ({"probe": -1}, "probe must be in [0, inf), got -1"),
        ({"shelf": "bottom"}, "shelf must be in top | middle, got 'bottom'"),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(values, message):
    with pytest.raises(UserError) as error:
        build(Oven, {"dish": "pie", **values}, "kitchen")
    assert str(error.value).startswith(f"kitchen: {message}")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), "nan", "inf"])
def test_a_number_must_be_finite(value):
    @dataclass(frozen=True)
    class Free:
        number: float = param(0.0, "no bounds")
        least: float = param(0.0, "one bound", low=-1)

    for key in ("number", "least"):
        with pytest.raises(UserError, match=key):
            build(Free, {key: value})


def test_a_missing_value_is_named():
    with pytest.raises(UserError, match=r"^kitchen: 'dish' is missing$"):
        build(Oven, {}, "kitchen")


def test_bounds_that_are_included_are_allowed():
    assert build(Oven, {"dish": "pie", "degrees": 300, "minutes": 1, "pauses": [0]}).degrees == 300


def test_domains_lists_every_parameter_with_its_help():
    assert {name: domain.help for name, domain in domains(Oven).items()}["shelf"] == "where"
    assert list(domains(Oven)) == ["dish", "degrees", "minutes", "fan", "shelf", "pauses", "probe"]
