"""The references with which the methods are compared: their formulas, transcribed from the papers or from the public code.

Each family of methods has a module with a tuple REFERENCES. `python -m tests.lt_core.references` writes docs/fidelity.md from
these tuples.
"""

from tests.lt_core.references import (
    bbn,
    class_balanced,
    cross_entropy,
    ensembles,
    generation,
    influence,
    logit_adjustment,
    made_classifiers,
    margin,
    meta,
    mixing,
    more_images,
    on_features,
    resampling,
    semi_supervised,
    tail_losses,
    two_stage,
)
from tests.lt_core.references.base import Reference

MODULES = (
    cross_entropy,
    class_balanced,
    margin,
    logit_adjustment,
    tail_losses,
    influence,
    resampling,
    ensembles,
    two_stage,
    made_classifiers,
    on_features,
    bbn,
    mixing,
    more_images,
    meta,
    generation,
    semi_supervised,
)

#: Method → its reference, in the order of docs/fidelity.md.
REFERENCES: dict[str, Reference] = {}
for module in MODULES:
    for reference in module.REFERENCES:
        assert reference.method not in REFERENCES, f"{reference.method} has two references"
        REFERENCES[reference.method] = reference
