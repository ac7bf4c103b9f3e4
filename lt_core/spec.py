"""What a trial is: frozen, validated, fully resolved, and named by a hash of all of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from typing import Any, TypeVar, cast

from lt_core.data.sets import DATASETS
from lt_core.errors import UserError
from lt_core.fields import build, check, param
from lt_core.identity import NEUTRAL, OPTIONAL_IN_ID, PROTOCOL
from lt_core.labels import versions
from lt_core.moved import labelled
from lt_core.recipes import Recipe

T = TypeVar("T")

_LARGEST = 2**63 - 1  # whole numbers up to which a data frame holds them
#: Parameters that stay out of ids at these values.
_PLAIN = NEUTRAL | OPTIONAL_IN_ID


@dataclass(frozen=True)
class DataSpec:
    """The images of a trial. ``subset_seed`` determines the draw, that is, which images of each class form the subset; the
    trial's own seed determines initialisation and order.

    >>> from lt_core.data.longtail import class_sizes
    >>> data = DataSpec("cifar10", imbalance_factor=100)
    >>> class_sizes(data, available=[5000] * 10)
    [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    """

    dataset: str = param(help="name of an image set")
    imbalance_type: str = param("exp", "profile of the class sizes", choices=("exp", "step", "majority", "natural", "counts"))
    imbalance_factor: float = param(1.0, "size of the largest class / size of the smallest; exp and step only", low=1)
    n_max: int = param(0, "size of the largest class; 0: the largest size that every class has", low=0)
    counts: tuple[int, ...] = param((), "explicit class sizes, from head to tail; imbalance_type counts only", low=1)
    class_order_seed: int | None = param(
        None, "seed that shuffles the order of classes from head to tail; none: order of the labels", low=0
    )
    subset_seed: int = param(0, "seed of the draw of images: which images of each class form the subset", low=0)
    validation: int = param(
        0, "images per class in the validation split, held out from training unless the set has its own", low=0
    )

    label_fraction: float = param(
        1.0,
        "share β of each class's images that keep their labels, rounded up; the others are unlabelled",
        above=0,
        high=1,
        optional_in_id=True,
    )
    unlabelled_ratio: float = param(
        0.0,
        "size λ of the largest class of a separate unlabelled set, in units of n_max; 0: no separate unlabelled set",
        low=0,
        optional_in_id=True,
    )
    unlabelled_imbalance: float | None = param(
        None, "imbalance factor of the unlabelled set; none: as in the subset", low=1, optional_in_id=True
    )
    unlabelled_order: str = param(
        "same",
        "order of the classes in the unlabelled set: the subset's head first, or its tail first",
        choices=("same", "reversed"),
        optional_in_id=True,
    )
    unlabelled_labelled: bool = param(
        True, "whether the labelled images are also in the unlabelled stream (CReST)", optional_in_id=True
    )

    def __post_init__(self) -> None:
        check(self)
        if self.dataset not in DATASETS and not versions(self.dataset):  # rows of a plug-in file can be read without it
            raise DATASETS.missing(self.dataset)
        shaped = self.imbalance_type in ("exp", "step")
        if not shaped and self.imbalance_factor != 1:
            raise UserError(
                f"{self.dataset}: imbalance_factor applies to imbalance_type exp and step, not to "
                f"{self.imbalance_type}: remove it"
            )
        if not shaped and self.n_max:
            raise UserError(
                f"{self.dataset}: n_max applies to imbalance_type exp and step, not to {self.imbalance_type}: remove it"
            )
        if self.imbalance_type == "natural" and self.class_order_seed is not None:
            raise UserError(f"{self.dataset}: class_order_seed has no effect with imbalance_type natural: remove it")
        if bool(self.counts) != (self.imbalance_type == "counts"):
            raise UserError(f"{self.dataset}: counts and imbalance_type counts must be given together")
        self._check_unlabelled(shaped)
        self._check_by_class(shaped)
        if 0 < self.own_validation < self.validation:
            raise UserError(
                f"{self.dataset}: validation {self.validation} needs more images than each class has in the set's own "
                f"validation split: set it to {self.own_validation} or less"
            )
        if not self.n_max and shaped:  # resolved here, so that the id does not depend on a default
            object.__setattr__(self, "n_max", DATASETS[self.dataset].n_max)

    @property
    def semi_supervised(self) -> bool:
        """Whether there are unlabelled images."""
        return self.label_fraction < 1 or self.unlabelled_ratio > 0

    @property
    def own_validation(self) -> int:
        """Images per class in the set's own validation split, of which ``validation`` are used; 0 if it has none."""
        return DATASETS[self.dataset].validation_each if self.dataset in DATASETS else 0

    @property
    def held_out(self) -> int:
        """Training images of each class that are held out for validation."""
        return 0 if self.own_validation else self.validation

    def without_unlabelled(self) -> DataSpec:
        """The same subset, all of it labelled."""
        return dataclasses.replace(
            self,
            label_fraction=1.0,
            unlabelled_ratio=0.0,
            unlabelled_imbalance=None,
            unlabelled_order="same",
            unlabelled_labelled=True,
        )

    def _check_by_class(self, shaped: bool) -> None:
        """Reject what depends on class sizes if these are known only from the set's list."""
        if self.dataset not in DATASETS or DATASETS[self.dataset].by_class:
            return
        smallest = DATASETS[self.dataset].n_max
        if self.imbalance_type in ("majority", "counts") or (shaped and self.n_max > smallest):
            raise UserError(
                f"{self.dataset}: imbalance_type {self.imbalance_type} depends on the size of each class, which is known only "
                f"from the set's list: set it to natural, or to exp or step with n_max {smallest} or less, or make a list of "
                "your own and add it with `data add`"
            )
        if self.held_out > smallest // 2 and not shaped:
            raise UserError(
                f"{self.dataset}: validation {self.validation} needs more images than the smallest class can spare: it has "
                f"{smallest} and must keep at least half; set validation to {smallest // 2} or less"
            )

    def _check_unlabelled(self, shaped: bool) -> None:
        if self.label_fraction < 1 and self.unlabelled_ratio:
            raise UserError(
                f"{self.dataset}: label_fraction and unlabelled_ratio belong to different protocols: set only one of them"
            )
        if self.unlabelled_ratio and not shaped:
            raise UserError(
                f"{self.dataset}: unlabelled_ratio applies to imbalance_type exp and step, not to "
                f"{self.imbalance_type}: remove it"
            )
        if not self.unlabelled_ratio and (self.unlabelled_imbalance is not None or self.unlabelled_order != "same"):
            raise UserError(f"{self.dataset}: unlabelled_imbalance and unlabelled_order need unlabelled_ratio: set it too")
        if not self.semi_supervised and not self.unlabelled_labelled:
            raise UserError(f"{self.dataset}: unlabelled_labelled needs label_fraction or unlabelled_ratio: remove it")


@dataclass(frozen=True)
class MethodSpec:
    """A method with every part and parameter filled in.

    ``params`` is flat: the choice for each part (``loss``, ``weights``, …) and the parameters of the chosen parts.
    ``label`` is its short form for people; it does not enter the ID. Made by `lt_core.methods.resolve`.
    """

    name: str
    params: Mapping[str, Any]
    label: str = field(default="", compare=False)


@dataclass(frozen=True)
class TrialSpec:
    """One trial. Its ID is a pure function of these fields.

    >>> from lt_core.methods import resolve
    >>> from lt_core.recipes import RECIPES
    >>> spec = TrialSpec(DataSpec("digits", imbalance_factor=50), resolve("ldam_drw"), RECIPES["digits"], seed=2)
    >>> spec.trial_id
    'b1c80abf7cd78ac8'
    >>> TrialSpec.from_dict(spec.to_dict()) == spec
    True
    """

    data: DataSpec
    method: MethodSpec
    recipe: Recipe
    seed: int = 0
    protocol: int = PROTOCOL

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the inverse of `from_dict`."""
        return {
            "data": plain(self.data),
            "method": {"name": self.method.name, "params": dict(self.method.params), "label": self.method.label},
            "recipe": plain(self.recipe),
            "seed": self.seed,
            "protocol": self.protocol,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrialSpec:
        """The inverse of `to_dict`.

        Raises:
            ValueError, TypeError, KeyError: no trial can have these values.
        """
        if len(values) > len(dataclasses.fields(cls)):
            raise ValueError(f"unknown fields: {', '.join(unknown_fields(values))}")
        for name, value in (("seed", values["seed"]), ("protocol", values["protocol"])):
            if type(value) is not int or not 0 <= value <= _LARGEST:
                raise ValueError(f"{name} is not a non-negative integer")
        method = MethodSpec(**values["method"])
        if not (isinstance(method.name, str) and isinstance(method.label, str) and isinstance(method.params, dict)):
            raise ValueError("method has a name, a label or params of the wrong type")
        return cls(
            data=_built(DataSpec, values["data"]),
            method=dataclasses.replace(method, label=labelled(method.label, method.name, method.params)),
            recipe=_built(Recipe, values["recipe"]),
            seed=values["seed"],
            protocol=values["protocol"],
        )

    @property
    def versions(self) -> set[str]:
        """Versions of the plug-in files that define something of the trial."""
        values = (self.data.dataset, self.recipe.name, self.recipe.model, self.method.name, *self.method.params.values())
        return {version for value in values if isinstance(value, str) for version in versions(value)}

    @cached_property
    def trial_id(self) -> str:
        """Sixteen hexadecimal digits: SHA-256 of the canonical JSON of the resolved spec.

        Groups of parts at their neutral choice are left out, as are later fields and parameters at their defaults, so new
        choices do not change existing IDs.
        """
        # A parameter that is None stays out as well; ids were made so from the first, and hold.
        params = {k: v for k, v in self.method.params.items() if _PLAIN.get(k) != v}
        texts = {  # in the order of their names, as canonical JSON has them
            "data": _canonical_record(self.data),
            "method": _canonical({"name": self.method.name, "params": params}),
            "protocol": f"{self.protocol}",
            "recipe": _canonical_record(self.recipe),
            "seed": f"{self.seed}",
        }
        text = ",".join(f'"{name}":{value}' for name, value in texts.items())
        return hashlib.sha256(f"{{{text}}}".encode()).hexdigest()[:16]


_PARTS: dict[str, type] = {"data": DataSpec, "method": MethodSpec, "recipe": Recipe}


@cache
def _optional_in_id(cls: type) -> dict[str, Any]:
    """Field → default, of the fields that stay out of ids at it."""
    return {f.name: _listed(f.default) for f in dataclasses.fields(cls) if f.metadata["domain"].optional_in_id}


def as_first(values: Mapping[str, Any], cls: type) -> dict[str, Any]:
    """``values`` of a `DataSpec` or a `Recipe`, without later fields at their defaults: equal to what older versions wrote for
    the same thing.

    >>> as_first({"dataset": "digits", "label_fraction": 1.0}, DataSpec), as_first({"label_fraction": 0.5}, DataSpec)
    ({'dataset': 'digits'}, {'label_fraction': 0.5})
    """
    optional = _optional_in_id(cls)
    return {key: value for key, value in values.items() if key not in optional or _listed(value) != optional[key]}


def unknown_fields(values: Any) -> list[str]:
    """Fields in a stored `TrialSpec` that this version does not know, such as ``data.colour``, sorted."""
    if not isinstance(values, dict):
        return []
    parts = [("", values, TrialSpec), *((f"{name}.", values.get(name), cls) for name, cls in _PARTS.items())]
    return [
        f"{place}{name}" for place, found, cls in parts if isinstance(found, dict) for name in sorted(found.keys() - _names(cls))
    ]


@cache
def _names(cls: type) -> frozenset[str]:
    return frozenset(f.name for f in dataclasses.fields(cls))


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _canonical(value: Any) -> str:
    return _CANONICAL.encode(value)


@lru_cache(maxsize=4096)
def _canonical_record(record: DataSpec | Recipe) -> str:
    """What of ``record`` enters an id; a run of thousands of trials has few different ones."""
    optional = _optional_in_id(cast(Any, type(record)))
    return _canonical({k: v for k, v in plain(record).items() if k not in optional or v != optional[k]})


def plain(record: DataSpec | Recipe) -> dict[str, Any]:
    """The fields of ``record`` as JSON values."""
    return {k: _listed(v) for k, v in vars(record).items()}


def _listed(value: Any) -> Any:
    """A tuple as JSON has it."""
    return list(value) if isinstance(value, tuple) else value


def _built(cls: type[T], values: Mapping[str, Any]) -> T:
    """The frozen record of these plain values; a run of thousands of trials has few different ones."""
    built: T = _cached(cast(Any, cls), tuple([(k, tuple(v) if type(v) is list else v) for k, v in values.items()]))
    return built


@lru_cache(maxsize=4096)
def _cached(cls: type, items: tuple[tuple[str, Any], ...]) -> Any:
    return build(cls, dict(items))
