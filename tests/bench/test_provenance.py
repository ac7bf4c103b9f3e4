"""What rows say about the code that made them."""

from __future__ import annotations

import pytest

from bench.records.provenance import provenance


@pytest.fixture(autouse=True)
def asked_anew():
    provenance.cache_clear()
    yield
    provenance.cache_clear()


def test_a_copy_on_a_borrowed_machine_is_told_its_commit(monkeypatch):
    monkeypatch.setenv("LT_COMMIT", "abc")
    facts = provenance()
    assert (facts["git_commit"], facts["git_dirty"]) == ("abc", None)
    assert "torch" in facts["packages"]


def test_a_checkout_knows_its_own(monkeypatch):
    monkeypatch.delenv("LT_COMMIT", raising=False)
    facts = provenance()
    assert facts["git_commit"] is None or len(facts["git_commit"]) == 40
    assert facts["git_dirty"] in (True, False, None)
