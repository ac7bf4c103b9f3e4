"""All methods, one file per family. Importing this package registers them, and those that other packages offer."""

from lt_core import (  # noqa: F401  (they register the parts)
    augment,
    losses,
    models,
    posthoc,
    regularizer,
    sampling,
    schedule,
    stages,
    steps,
    synthesis,
    weights,
)
from lt_core.declaration import METHODS, Method, Neutral, method, resolve
from lt_core.external import OF_METHODS, load_external
from lt_core.methods import (  # noqa: F401  (they register the methods)
    class_balanced,
    cross_entropy,
    generation,
    logit_adjustment,
    margin,
    meta,
    more_images,
    resampling,
    reweighting,
    semi_supervised,
    tail_losses,
    two_stage,
)

__all__ = ["BUILT_IN", "METHODS", "Method", "Neutral", "method", "resolve"]

#: The benchmark's own methods, without those of packages and plug-in files. tests/lt_core/references compares them with their
#: sources.
BUILT_IN = tuple(METHODS)
load_external(OF_METHODS)
