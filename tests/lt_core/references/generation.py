"""Methods with images made by generators."""

from __future__ import annotations

from tests.lt_core.references.base import Reference

_HELD = "nothing to compare with; tests/lt_core/test_joint.py and test_cyclegan.py hold it by hand-computed values"
_SOURCE = "no public code (the repository of Sahoo et al. 2020 holds none); written from the paper"

REFERENCES = (
    Reference("joint_aug", _SOURCE, _HELD, None),
    Reference("joint_alt", _SOURCE, _HELD, None),
)
