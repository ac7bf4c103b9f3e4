"""Files are damaged in every way that hypothesis can find, and read again. The outcome must be right, or one sentence that names
the file. Every test run has a few cases of each kind, and 2,000 in total if `slow` tests are run.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.analysis.leaderboard import leaderboard
from bench.records import frames
from bench.records.nested import environments_of, specs_of
from bench.records.record import sealed
from bench.records.store import Store
from bench.report.tables import TABLES
from bench.suites.suite import load_suite
from bench.tuning.journal import open_storage
from bench.tuning.space import load_space
from lt_core.data.images import make_set, read_cache, write_cache
from lt_core.data.pictures.files import listed
from lt_core.data.pictures.intact import intact
from lt_core.data.pictures.making import make, pictures_dir
from lt_core.data.pictures.source import layout_at
from lt_core.data.sets import DATASETS
from lt_core.errors import UserError
from tests.bench import harness, spaces, synthetic
from tests.bench.harness import ROOT
from tests.faults.mutations import altered, damaged
from tests.pictures import listing, pictures, tree

COMMITTED = ROOT / "results" / "quick" / "records"
pytestmark = pytest.mark.filterwarnings("ignore")
#: The number of cases of each of the ten kinds, without and with `slow` tests.
FEW, MANY = 15, 200
cases = pytest.mark.parametrize("cases", [FEW, pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])


def every(number: int, changes: st.SearchStrategy, holds: Callable[[Any], None]) -> None:
    """Check that ``holds`` is true for a ``number`` of ``changes``."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    settings(max_examples=number, suppress_health_check=quiet)(given(changes)(holds))()


def outcome(read: Callable[[], Any], file: Path) -> Any:
    """The result of ``read``; None if it rejects the file, in one sentence that names ``file``.

    Any exception other than a `UserError` fails the test, and so does a message that does not name the file.
    """
    try:
        return read()
    except UserError as error:
        words = str(error)
        assert file.name in words or file.stem in words, f"no word of {file.name}: {words}"
        assert "Traceback" not in words and len(words.splitlines()) == 1, words
        return None


def used(store: Store) -> pd.DataFrame:
    """Use everything that is made from records, including what readers see."""
    frame = store.frame()
    store.compact()
    specs_of(frame), environments_of(frame)
    for make_frame in (store.per_class, store.curves, store.generations):
        make_frame()
    if (frame["status"] == "ok").any():
        TABLES["catalogue"](frame, None, store.per_class())
        leaderboard(frame)
    return Store(store.path).frame()


def expected(store: Store) -> pd.DataFrame:
    return frames.build(store.results(), store.path.name)["trials"]


# Records ------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    store = synthetic.store(tmp_path / "run", synthetic.run(["softmax", "focal"], seeds=1))
    return store, min(store.records.glob("*.json"))


@cases
def test_a_damaged_record_is_found(run, cases):
    store, file = run
    whole = file.read_bytes()

    def holds(content: bytes) -> None:
        file.write_bytes(content)
        assert outcome(lambda: list(Store(store.path).results()), file) is None, "the digest is over every byte"

    every(cases, damaged(whole), holds)


@cases
def test_a_damaged_record_without_a_digest_is_found_or_does_no_harm(tmp_path, cases):
    """In a record without a digest, a changed number of seconds cannot be noticed; what can be noticed is reported."""
    file = max(COMMITTED.glob("*.json"), key=lambda path: path.stat().st_size)
    store = Store.create(tmp_path / "run")
    copy = store.records / file.name
    original = json.loads(file.read_bytes())

    def holds(content: bytes) -> None:
        copy.write_bytes(content)
        frame = outcome(lambda: used(Store(store.path)), copy)
        if frame is not None:
            read = Store(store.path).read(file.stem)
            assert read.to_record()["confusion"] == original["confusion"] and list(frame["trial_id"]) == [file.stem]

    every(cases, damaged(file.read_bytes()), holds)


@cases
@pytest.mark.parametrize("seal", [True, False])
def test_a_record_that_says_something_else_is_read_or_refused(run, tmp_path, seal, cases):
    """The digest is right: the record comes from another version, or was made by hand."""
    store, file = run
    source = file if seal else min(COMMITTED.glob("*.json"))
    tree = json.loads(source.read_bytes())
    tree.pop("sha256", None)
    if not seal:
        store = Store.create(tmp_path / "older")
        file = store.records / source.name

    def holds(values: Any) -> None:
        file.write_bytes(sealed(values) if seal else json.dumps(values).encode())
        frame = outcome(lambda: used(Store(store.path)), file)
        assert frame is None or frame["trial_id"].is_unique

    every(cases, altered(tree), holds)


# Parquet ------------------------------------------------------------------------------------------


@cases
@pytest.mark.parametrize("alone", [False, True])
def test_damaged_parquet_is_made_again_or_named(run, alone, cases):
    store, _ = run
    file, right = store.path / "trials.parquet", expected(store)
    if alone:
        shutil.rmtree(store.records)

    def holds(content: bytes) -> None:
        file.write_bytes(content)
        frame = outcome(lambda: Store(store.path).frame(), file)
        assert (frame is None) is alone
        if not alone:
            pd.testing.assert_frame_equal(frame, right)

    every(cases, damaged(file.read_bytes()), holds)


# What users write ---------------------------------------------------------------------------------


@cases
def test_a_suite_is_read_or_refused(tmp_path, cases):
    file = tmp_path / "mine.yaml"

    def holds(content: bytes) -> None:
        file.write_bytes(content)
        outcome(lambda: load_suite(file, check=False), file)

    values = {**harness.TINY, "set": {"gamma": 1}, "subset_seeds": 2, "table": "cb"}
    text = yaml.safe_dump(values).encode()
    every(cases, damaged(text) | altered(values).map(lambda tree: yaml.safe_dump(tree).encode()), holds)


@cases
def test_a_space_is_read_or_refused(tmp_path, cases):
    file = tmp_path / "mine.yaml"

    def holds(content: bytes) -> None:
        file.write_bytes(content)
        outcome(lambda: load_space(file), file)

    text = yaml.safe_dump(spaces.TINY).encode()
    every(cases, damaged(text) | altered(spaces.TINY).map(lambda tree: yaml.safe_dump(tree).encode()), holds)


@cases
def test_a_list_of_pictures_is_read_or_refused(tmp_path, cases):
    file = listing(tmp_path / "list.txt", pictures((3, 2, 2)))

    def holds(content: bytes) -> None:
        file.write_bytes(content)
        found = outcome(lambda: listed(file), file)
        assert found is None or all((tmp_path / entry.place).is_file() for entry in found.entries)

    every(cases, damaged(file.read_bytes()), holds)


# Journals -----------------------------------------------------------------------------------------


@cases
def test_a_damaged_journal_is_found(tmp_path, cases):
    import optuna

    file = tmp_path / "studies.journal"
    study = optuna.create_study(storage=open_storage(file), study_name="tiny/la")
    study.optimize(lambda trial: trial.suggest_float("tau", 0, 2) ** 2, n_trials=4)
    digest = file.with_name("studies.journal.sha256").read_bytes()

    def holds(content: bytes) -> None:
        file.write_bytes(content)
        file.with_name("studies.journal.sha256").write_bytes(digest)
        storage = outcome(lambda: open_storage(file), file)
        if storage is not None:  # the digest does not cover what follows
            assert content.startswith(whole)
            assert optuna.load_study(study_name="tiny/la", storage=storage).trials == study.trials

    whole = file.read_bytes()
    every(cases, damaged(whole), holds)


# Caches -------------------------------------------------------------------------------------------


@cases
def test_a_damaged_cache_of_images_is_found(tmp_path, cases):
    info, folder = DATASETS["digits"], tmp_path / "digits"
    labels = np.arange(20) % 10
    made = make_set("digits", *[(np.random.RandomState(n).randint(0, 255, (20, *info.image_shape)), labels) for n in (0, 1)])
    write_cache(folder, made)
    files = {file: file.read_bytes() for file in sorted(folder.iterdir())}

    def holds(change: tuple[Path, bytes]) -> None:
        file, content = change
        file.write_bytes(content)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = read_cache(folder, "digits")
        file.write_bytes(files[file])
        assert found is None or (found.fingerprint == made.fingerprint and np.array_equal(found.train_images, made.train_images))
        assert found is not None or [str(folder) in str(warning.message) for warning in told] == [True]

    one = st.sampled_from(sorted(files)).flatmap(lambda file: damaged(files[file]).map(lambda content: (file, content)))
    every(cases, one, holds)


@cases
def test_damaged_decoded_pictures_are_found(tmp_path, monkeypatch, cases):
    monkeypatch.setenv("LT_CACHE", str(tmp_path / "cache"))
    source = tree(tmp_path / "train", pictures((4, 3, 2)))
    folder = pictures_dir() / make([("train", layout_at(str(source), "train"))], 8, lambda done, total: None)
    files = {file: file.read_bytes() for file in sorted(folder.iterdir())}

    def holds(change: tuple[Path, bytes]) -> None:
        file, content = change
        for each, whole in files.items():
            each.write_bytes(content if each == file else whole)
        whole = intact(folder)
        # JSON can change without changing its meaning, for example by another space.
        assert not whole or (file.name == "meta.json" and json.loads(content) == json.loads(files[file]))

    one = st.sampled_from(sorted(files)).flatmap(lambda file: damaged(files[file]).map(lambda content: (file, content)))
    every(cases, one, holds)
