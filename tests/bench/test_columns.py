"""What a data column is, and what it is called."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.records.columns import data_column, data_values, describe, describe_trial, group_name, keys
from lt_core.fields import build
from lt_core.spec import DataSpec
from tests.bench.synthetic import trial


def data(**values) -> DataSpec:
    return build(DataSpec, {"dataset": "digits", **values})


def test_a_missing_value_is_a_key_like_any_other():
    frame = pd.DataFrame({"class_order_seed": [np.nan, 3.0, np.nan], "epochs": [4, 4, 4], "accuracy": [0.1, 0.2, 0.3]})
    found = frame.assign(**keys(frame, ["class_order_seed", "epochs"]))
    sizes = found.groupby(["class_order_seed", "epochs"], sort=False).size()
    assert sizes.to_dict() == {("none", 4): 2, (3.0, 4): 1}
    assert frame["class_order_seed"].isna().sum() == 2, "the frame itself stays"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"imbalance_factor": 100}, "digits IF 100"),
        ({"imbalance_type": "step", "imbalance_factor": 50, "label_fraction": 0.1}, "digits step IF 50 labels 10 %"),
        ({"imbalance_factor": 50, "unlabelled_ratio": 2}, "digits IF 50 λ 2"),
        ({"imbalance_factor": 50, "unlabelled_ratio": 2, "unlabelled_imbalance": 50}, "digits IF 50 λ 2"),
        (
            {"imbalance_factor": 50, "unlabelled_ratio": 2, "unlabelled_imbalance": 1, "unlabelled_order": "reversed"},
            "digits IF 50 λ 2 (IF 1, reversed)",
        ),
        ({"imbalance_factor": 50, "n_max": 60, "subset_seed": 3}, "digits IF 50"),
    ],
)
def test_data_in_words(values, words):
    assert describe(data(**values)) == words


def test_what_tells_data_apart_is_said_beside_others_alone():
    small, large, far = data(imbalance_factor=10, n_max=50), data(imbalance_factor=10, n_max=60), data(imbalance_factor=20)
    both = [small, large, far]
    assert [describe(one, both) for one in both] == ["digits IF 10, n_max 50", "digits IF 10, n_max 60", "digits IF 20"]
    assert describe(small, [small, replace(small, subset_seed=4)]) == "digits IF 10", "draws are of one data column"
    budgets = [{**data_values(small), "recipe": recipe, "epochs": 4} for recipe in ("digits", "digits[lr=0.5]")]
    assert [describe(one, budgets) for one in budgets] == ["digits IF 10, digits", "digits IF 10, digits[lr=0.5]"]


COLUMNS = st.builds(
    data,
    imbalance_type=st.sampled_from(["exp", "step"]),
    imbalance_factor=st.sampled_from([10, 33.3, 33.33]),
    n_max=st.sampled_from([50, 60]),
    class_order_seed=st.sampled_from([None, 0]),
    validation=st.sampled_from([0, 20]),
    subset_seed=st.integers(0, 1),
    unlabelled_ratio=st.just(2),
    unlabelled_imbalance=st.sampled_from([None, 1]),
    unlabelled_order=st.sampled_from(["same", "reversed"]),
    unlabelled_labelled=st.booleans(),
)


@given(st.lists(COLUMNS, min_size=2, max_size=6))
def test_two_data_columns_never_have_the_same_words(specs):
    words = {data_column(spec): describe(spec, specs) for spec in specs}
    assert len(set(words.values())) == len(words)
    assert all(describe(spec, specs) == words[data_column(spec)] for spec in specs)


def test_a_trial_and_its_row_have_the_same_words():
    spec = trial("focal", seed=2, factor=50).spec
    assert describe_trial(spec) == "focal, digits IF 50, seed 2"
    drawn = replace(spec, data=replace(spec.data, subset_seed=4))
    row = {**data_values(drawn.data), "label": "focal", "seed": 2, "trial_id": drawn.trial_id}
    assert describe_trial(row) == describe_trial(drawn) == "focal, digits IF 50, subset 4, seed 2"
    beside = [drawn.data, replace(drawn.data, n_max=60)]
    assert describe_trial(drawn, beside) == "focal, digits IF 50, n_max 124, subset 4, seed 2"


def test_a_heading_over_several_factors_says_the_shape_and_the_share_of_labels():
    assert group_name("digits", "exp") == "digits"
    assert group_name("digits", "step", 0.1) == "digits (step), β = 10 %"
