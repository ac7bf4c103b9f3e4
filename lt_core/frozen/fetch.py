"""Preparing everything that trials need before they begin: image sets, features of frozen backbones, files of weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

from lt_core.data.pictures.making import telling
from lt_core.data.sets import DATASETS
from lt_core.data.sources import fetch_sets, load_set, own_validation
from lt_core.data.spec import DataSpec
from lt_core.frozen.compute import Progress
from lt_core.frozen.features import load_features
from lt_core.frozen.label import Frozen
from lt_core.models import build_model, seen_shape
from lt_core.models.heads import LinearHead
from lt_core.recipes import Recipe

_EVERY = 15.0  # seconds between two lines of progress


def fetch_inputs(
    wanted: Iterable[tuple[DataSpec, Recipe]],
    data_dir: str | None = None,
    device: str = "cpu",
    say: Callable[[str], None] | None = None,
) -> None:
    """Find, download, decode or compute what trials need once, now, so that workers do not each have to do it. Each model is
    built once, so that missing or unsuitable weights are reported here.

    Args:
        wanted: (images, recipe) of each trial.
        device: the device on which features are computed.
        say: is called with messages about progress [default: print].

    Raises:
        UserError: an image set, a backbone or its weights are missing.
    """
    trials, tell = list(dict.fromkeys(wanted)), say or partial(print, flush=True)
    with telling(lambda name: told(name, tell)):
        fetch_sets((data.dataset for data, _ in trials), data_dir)
    for data in dict.fromkeys(data for data, _ in trials):
        own_validation(data, load_set(data.dataset, data_dir))
    seen = ((data.dataset, recipe.model, recipe.network_shape(DATASETS[data.dataset].image_shape)) for data, recipe in trials)
    for dataset, model, shape in dict.fromkeys(seen):
        frozen = Frozen.of(model)
        if frozen:
            views = f", {frozen.views} views" if frozen.views > 1 else ""
            what = f"features of {dataset} by {frozen.backbone} at {frozen.size} pixels{views}"
            line = told(what, tell, 2 * frozen.info.width)
            load_features(frozen, dataset, data_dir, device, line)
        build_model(model, seen_shape(model, shape), DATASETS[dataset].classes, LinearHead())


def told(what: str, say: Callable[[str], None], each: int = 0) -> Progress:
    """A function that reports now and then, in a line that begins with ``what``, how many pictures are done. ``each``: number of
    bytes that are stored for a picture.
    """
    begun = last = time.monotonic()
    before = -1  # pictures that an earlier process left, which do not count for the speed

    def progress(done: int, total: int) -> None:
        nonlocal begun, last, before
        now = time.monotonic()
        if before < 0:
            begun, before = now, done
            room = f", {each * total / 1e6:,.1f} MB" if each else ""
            say(f"{what}: {total:,} pictures to compute, once{room}" if done < total else f"{what}: ready")
        elif now - last >= _EVERY or done == total:
            rate = (done - before) / max(now - begun, 1e-9)
            left = f", {(total - done) / rate / 60:.0f} min left" if done < total and rate else ""
            say(f"{what}: {done:,} of {total:,}, {rate:.0f} a second{left}")
            last = now

    return progress
