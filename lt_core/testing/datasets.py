"""What must hold for every image set. Each check reads the set."""

from __future__ import annotations

import numpy as np

from lt_core.data.images import ImageSet
from lt_core.data.sets import DATASETS, DatasetInfo
from lt_core.data.sources import load_set
from lt_core.methods import resolve
from lt_core.recipes import Recipe
from lt_core.spec import DataSpec, TrialSpec
from lt_core.testing.check import check, expect
from lt_core.testing.trials import finished

_SHARED = 0.1  # largest share of test images that may also be training images: even CIFAR has a few


def read_anew(dataset: DatasetInfo) -> ImageSet:
    """The set, read again instead of taken from this process's memory."""
    return load_set.__wrapped__(DATASETS.versioned(dataset.name))


@check("dataset")
def it_is_what_it_declares(dataset: DatasetInfo) -> None:
    """It has as many images per class, and as many test images, as it declares."""
    images = read_anew(dataset)
    found = tuple(np.bincount(images.train_labels, minlength=dataset.classes).tolist())
    expect(found == dataset.train_counts, f"it has {found} training images per class, but declares {dataset.train_counts}")
    tests = len(images.test_labels)
    expect(tests == dataset.test_count, f"it has {tests} test images, but declares {dataset.test_count}")
    names = len(dataset.class_names)
    expect(names in (0, dataset.classes), f"class_names has {names} names, but there are {dataset.classes} classes")


@check("dataset")
def it_is_the_same_each_time(dataset: DatasetInfo) -> None:
    """Read twice, it is the same to the bit, since its fingerprint is part of every row."""
    first, second = read_anew(dataset), read_anew(dataset)
    expect(first.fingerprint == second.fingerprint, "reading it again gives different images")


@check("dataset")
def its_test_images_are_not_those_of_training(dataset: DatasetInfo) -> None:
    """Hardly any test image is also a training image."""
    images = read_anew(dataset)
    known = {image.tobytes() for image in images.train_images[:]}
    shared = sum(image.tobytes() in known for image in images.test_images[:]) / len(images.test_images)
    expect(shared <= _SHARED, f"{100 * shared:.0f} % of the test images are also training images")


@check("dataset")
def a_network_can_be_trained_on_it(dataset: DatasetInfo) -> None:
    """A long-tailed subset can be drawn from it, and a perceptron trained on that."""
    data = DataSpec(DATASETS.versioned(dataset.name), imbalance_factor=2, n_max=min(dataset.n_max, 50))
    recipe = Recipe(name="check", model="mlp", epochs=1, lr=0.01, normalize="unit", precision="float32")
    result = finished(TrialSpec(data, resolve("softmax"), recipe))
    predicted = len(result.outcome().predicted)
    expect(predicted == dataset.classes, f"predictions have {predicted} classes, not {dataset.classes}")
