"""Methods that learn from unlabelled images too."""

from __future__ import annotations

from tests.lt_core.references.base import Reference

# To compare one: replace check=None by a function of a `Case`, and agrees_on by what it compares.
_HELD = "not compared here yet; tests/lt_core/test_semi.py holds it by hand-computed values"
FIXMATCH = "google-research/fixmatch fixmatch.py @ d4985a1"
CREST = "google-research/crest fixmatch.py, train_and_eval_lib.py @ e270139"
BIS = "TACJu/Bi-Sampling {} @ bcdae91"

REFERENCES = (
    Reference("pseudo_label", "Lee 2013, Eq. 15", _HELD, None),
    Reference("mean_teacher", "Tarvainen and Valpola 2017, section 2", _HELD, None),
    Reference("fixmatch", FIXMATCH, _HELD, None),
    Reference("fixmatch_da", CREST, _HELD, None),
    Reference("abc", "LeeHyuck/ABC ABCcode0920/ABCfix.py @ f70e926", _HELD, None),
    Reference("self_training", f"{CREST} (update_mode all)", _HELD, None),
    Reference("crest", CREST, _HELD, None),
    Reference("crest_plus", CREST, _HELD, None),
    Reference("bi_sampling", BIS.format("fix_train.py, fix_finetune.py"), _HELD, None),
    Reference("bis", BIS.format("fix_BiS.py"), _HELD, None),
)
