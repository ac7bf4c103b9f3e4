"""``frozen[backbone=…,size=…,weights=…,views=…]``: the features that a trial is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lt_core.errors import UserError, unknown
from lt_core.labels import format_label, parse_label
from lt_core.pretrained import BACKBONES, BackboneInfo
from lt_core.pretrained.files import PRETRAINED, digest_named

MODEL = "frozen"
DEFAULT = "efficientnet_lite0"  # the backbone of a label that names none
MOST_VIEWS = 64
_NEEDED = ("backbone", "size", "weights")
_OPTIONS = (*_NEEDED, "views")


@dataclass(frozen=True)
class Frozen:
    """The features of a backbone.

    Args:
        backbone: a name of `BACKBONES`.
        size: height and width in pixels to which pictures are scaled.
        weights: the first eight hexadecimal digits of the SHA-256 of the file of weights.
        views: number of views of each training image; whenever training draws the image, it draws one of them; see
            `lt_core.frozen.views`.

    >>> Frozen.of("frozen[backbone=efficientnet_lite0,size=112,weights=57934424]")
    Frozen(backbone='efficientnet_lite0', size=112, weights='57934424', views=1)
    >>> Frozen.of("resnet32") is None
    True
    """

    backbone: str
    size: int
    weights: str
    views: int = 1

    @classmethod
    def of(cls, model: str) -> Frozen | None:
        """The content of the complete label ``model`` of a recipe; None for a model that is trained on pictures.

        Raises:
            UserError: the label is incomplete, so that no ID can be made from it, or the backbone is unknown.
        """
        name, options = parse_label(model)
        if name != MODEL:
            return None
        missing = [key for key in _NEEDED if key not in options]
        if missing:
            raise UserError(f"{model} lacks {missing[0]}: write {resolved(options)}")
        views = _views(options.get("views", "1"), model)
        return cls(options["backbone"], _pixels(options["size"], model), options["weights"], views)

    @property
    def label(self) -> str:
        """The inverse of `of`; a single view is omitted, as in the IDs of older trials."""
        return format_label(MODEL, {**self.network, **({"views": self.views} if self.views > 1 else {})})

    @property
    def network(self) -> dict[str, str | int]:
        """Everything that the features of one picture depend on, besides the picture."""
        return {key: getattr(self, key) for key in _NEEDED}

    @property
    def info(self) -> BackboneInfo:
        """What is known about the backbone."""
        return BACKBONES[self.backbone]


def resolved(options: Mapping[str, str]) -> str:
    """The complete label, with everything filled in that the user's ``options`` omit.

    For possible weights see `lt_core.pretrained.files.digest_named`.

    Raises:
        UserError: an option or the backbone is unknown, weights are missing, or the size or the number of views is invalid.
    """
    for key in options:
        if key not in _OPTIONS:
            raise unknown("option", key, _OPTIONS, MODEL)
    name = BACKBONES.versioned(options.get("backbone", DEFAULT))
    info = BACKBONES[name]
    size = _pixels(options.get("size", str(info.size)), MODEL)
    views = _views(options.get("views", "1"), MODEL)
    return Frozen(name, size, digest_named(info, options.get("weights", PRETRAINED)), views).label


def _pixels(text: str, where: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"{where}: size must be a number of pixels, got '{text}'")
    return int(text)


def _views(text: str, where: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_VIEWS:
        raise UserError(f"{where}: views must be a whole number from 1 to {MOST_VIEWS}, got '{text}'")
    return int(text)
