"""Methods whose additional images come from generators."""

from __future__ import annotations

from tests.lt_core.references.base import Reference

_HELD = (
    "the method with values that were computed by hand (tests/lt_core/test_joint.py and test_cyclegan.py), because there is no "
    "code to compare it with"
)
_SOURCE = "no public code (the repository of Sahoo et al. 2020 contains none); we implemented the method from the paper"

REFERENCES = (
    Reference("joint_aug", _SOURCE, _HELD, None),
    Reference("joint_alt", _SOURCE, _HELD, None),
)
