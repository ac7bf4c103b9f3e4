"""What a data column is, and what it is called."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.records.columns import keys


def test_a_missing_value_is_a_key_like_any_other():
    frame = pd.DataFrame({"class_order_seed": [np.nan, 3.0, np.nan], "epochs": [4, 4, 4], "accuracy": [0.1, 0.2, 0.3]})
    found = frame.assign(**keys(frame, ["class_order_seed", "epochs"]))
    sizes = found.groupby(["class_order_seed", "epochs"], sort=False).size()
    assert sizes.to_dict() == {("none", 4): 2, (3.0, 4): 1}
    assert frame["class_order_seed"].isna().sum() == 2, "the frame itself stays"
