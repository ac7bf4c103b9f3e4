"""The image sets that the benchmark knows, and what must be known of them before they are loaded."""

from __future__ import annotations

from dataclasses import dataclass

from lt_core.registry import Registry


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a set. ``train_counts``: images of each class in the official training part."""

    name: str
    about: str
    train_counts: tuple[int, ...]
    test_count: int
    image_shape: tuple[int, int, int]  # height, width, channels
    aliases: tuple[str, ...] = ()  # folder names under which the set is found
    torchvision: str = ""  # class in torchvision.datasets; empty: the set comes with a dependency
    class_names: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        return len(self.train_counts)

    @property
    def n_max(self) -> int:
        """Default size of the largest class of a long-tailed subset: what every class can give."""
        return min(self.train_counts)


DATASETS: Registry[DatasetInfo] = Registry("dataset")


def dataset(**fields: object) -> DatasetInfo:
    info = DatasetInfo(**fields)  # type: ignore[arg-type]
    return DATASETS.add(info.name, info)


_TEN = tuple("0123456789")
dataset(
    name="digits", about="handwritten digits of scikit-learn, 8×8 grey, embedded",
    train_counts=(128, 132, 127, 133, 131, 132, 131, 129, 124, 130), test_count=500, image_shape=(8, 8, 1), class_names=_TEN,
)  # fmt: skip
dataset(
    name="mnist", about="handwritten digits, 28×28 grey",
    train_counts=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949), test_count=10_000, image_shape=(28, 28, 1),
    aliases=("mnist", "MNIST", "ylecun___mnist"), torchvision="MNIST", class_names=_TEN,
)  # fmt: skip
dataset(
    name="fashion_mnist", about="articles of clothing, 28×28 grey",
    train_counts=(6000,) * 10, test_count=10_000, image_shape=(28, 28, 1),
    aliases=("fashion_mnist", "fashion-mnist", "FashionMNIST", "zalando-datasets___fashion_mnist"), torchvision="FashionMNIST",
    class_names=("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)  # fmt: skip
dataset(
    name="cifar10", about="natural images of ten classes, 32×32 colour",
    train_counts=(5000,) * 10, test_count=10_000, image_shape=(32, 32, 3),
    aliases=("cifar10", "cifar-10", "CIFAR10", "cifar-10-batches-py", "uoft-cs___cifar10"), torchvision="CIFAR10",
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)  # fmt: skip
dataset(
    name="cifar100", about="natural images of a hundred classes, 32×32 colour",
    train_counts=(500,) * 100, test_count=10_000, image_shape=(32, 32, 3),
    aliases=("cifar100", "cifar-100", "CIFAR100", "cifar-100-python", "uoft-cs___cifar100"), torchvision="CIFAR100",
)  # fmt: skip
