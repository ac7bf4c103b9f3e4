"""Small sets of pictures in the layouts that `lt_core.data.pictures.trees` reads: seven pictures for training, four for test."""

from __future__ import annotations

from pathlib import Path

from tests.pictures import pictures

TRAIN, TEST = (5, 2), (2, 2)
FILES = {"train": pictures(TRAIN), "test": pictures(TEST, start=500)}


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def horses(folder: Path) -> Path:
    """CycleGAN's four folders."""
    for part, found in FILES.items():
        for name, label, content in found:
            _write(folder / f"{part}{'AB'[label]}" / name, content)
    return folder


SPECIES = ("113.Baird_Sparrow", "041.Scissor_tailed_Flycatcher")


def birds(folder: Path) -> Path:
    """The three lists of CUB-200-2011, for classes with the numbers 113 and 41, with a blank line at the end."""
    images, labels, split = [], [], []
    for part, found in FILES.items():
        for name, label, content in found:
            number = len(images) + 1
            _write(folder / "images" / SPECIES[label] / name, content)
            images.append(f"{number} {SPECIES[label]}/{name}\n")
            labels.append(f"{number} {int(SPECIES[label][:3])}\n")
            split.append(f"{number} {int(part == 'train')}\n")
    for name, rows in (("images", images), ("image_class_labels", labels), ("train_test_split", split)):
        (folder / f"{name}.txt").write_text("".join([*rows, "\n"]))
    return folder


def faces(folder: Path) -> Path:
    """CelebA as torchvision unpacks it, with two attributes, of which the second is the class, and a validation split."""
    rows, partition = [], []
    for number, found in enumerate((FILES["train"], pictures((1, 1), 900), FILES["test"])):
        for name, label, content in found:
            _write(folder / "img_align_celeba" / name, content)
            rows.append(f"{name}  1 {2 * label - 1:2}\n")
            partition.append(f"{name} {number}\n")
    (folder / "list_attr_celeba.txt").write_text("".join([f"{len(rows)}\n", "Young Smiling \n", *rows]))
    (folder / "list_eval_partition.txt").write_text("".join(partition))
    return folder
