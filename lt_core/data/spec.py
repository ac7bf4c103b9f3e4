"""Which images a trial has: frozen, validated and fully resolved."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from lt_core.data.sets import DATASETS
from lt_core.errors import UserError
from lt_core.fields import check, param
from lt_core.labels import versions


@dataclass(frozen=True)
class DataSpec:
    """The images of a trial. ``subset_seed`` determines which images of each class form the subset; the trial's own seed
    determines initialisation and order.

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
    subset_seed: int = param(0, "seed that selects the images of each class that form the subset", low=0)
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
        if not self.n_max and shaped:  # resolved here, so that the ID does not depend on a default
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
        """Reject whatever depends on class sizes if these are known only from the set's list."""
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
