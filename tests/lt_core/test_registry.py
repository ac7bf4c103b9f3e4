from __future__ import annotations

import pytest

from lt_core.data.sets import DATASETS
from lt_core.errors import UserError, nearest
from lt_core.methods import METHODS, resolve
from lt_core.recipes import RECIPES
from lt_core.registry import Registry


@pytest.fixture
def fruit():
    registry = Registry("fruit")
    for name in ("apple", "apricot", "Banana"):
        registry.add(name, object())
    return registry


def test_a_glob_lists_in_order_of_registration(fruit):
    assert fruit.names() == list(fruit) == ["apple", "apricot", "Banana"]
    assert fruit.names("ap*") == ["apple", "apricot"]
    assert fruit.names("b*") == []  # case matters
    assert len(fruit) == 3 and "apple" in fruit and "pear" not in fruit


@pytest.mark.parametrize(("typed", "meant"), [("aple", "apple"), ("banana", "Banana"), ("APRICOTS", "apricot")])
def test_a_wrong_name_is_answered_with_the_nearest(fruit, typed, meant):
    with pytest.raises(UserError, match=f"^unknown fruit '{typed}': did you mean '{meant}'\\?$"):
        fruit[typed]


def test_an_empty_registry_says_so():
    with pytest.raises(UserError, match="none is registered"):
        Registry("fruit")["apple"]


def test_a_name_is_given_once(fruit):
    with pytest.raises(UserError, match="fruit 'apple' already exists"):
        fruit.add("apple", object())
    assert fruit.add("apple", fruit["apple"]) is fruit["apple"]  # importing a module twice is not a conflict


def test_nearest_of_nothing_is_none():
    assert nearest("apple", []) is None


def test_a_word_that_resembles_nothing_gets_no_suggestion():
    networks = ["timm/tinynet_c", "timm/resnet18"]
    assert nearest("timm/xyz", networks) is nearest("timm/nothing", networks) is None
    assert nearest("timm/resnt18", networks) == "timm/resnet18"
    assert nearest("bc", ["cb", "mm"]) == "cb", "in a short word one error is half of it"


@pytest.mark.parametrize(
    ("ask", "hint"),
    [
        (lambda: METHODS["cb_sofmax"], "cb_softmax"),
        (lambda: DATASETS["cifar-10"], "cifar10"),
        (lambda: RECIPES["cifar_cbb"], "cifar_cb"),
        (lambda: resolve("focal[gama=2]"), "gamma"),
        (lambda: resolve("softmax[loss=focall]"), "focal"),
        (lambda: resolve("softmax[wieghts=inverse]"), "weights"),
    ],
)
def test_what_users_write_is_corrected(ask, hint):
    with pytest.raises(UserError, match=f"did you mean '{hint}'"):
        ask()


def test_a_parameter_of_a_part_that_is_not_chosen_is_refused():
    with pytest.raises(UserError, match="unknown parameter 'gamma'"):
        resolve("softmax[gamma=2]")
    assert resolve("softmax[loss=focal,gamma=2]").params["gamma"] == 2.0
