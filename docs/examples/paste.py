"""Context-rich minority oversampling (CMO), from its authors' version of LDAM-DRW's script (naver-ai/cmo, cifar_train.py)."""

import torch

from lt_core.fields import param
from lt_core.methods import Neutral, method
from lt_core.parts import part
from lt_core.steps import BoundStep, Step


def box(height, width, draws):
    """Rows and columns of a box at a random place, with sides of √share of the picture, share ~ U(0, 1), cut off at its edge."""
    share, row, column = torch.rand(3, generator=draws, device=draws.device).tolist()

    def side(length, place):
        half, middle = int(length * share**0.5) // 2, int(length * place)
        return slice(max(0, middle - half), min(length, middle + half))

    return side(height, row), side(width, column)


class Pasting(BoundStep):
    def __init__(self, training, chance):
        super().__init__(training)
        self.chance = chance

    def __call__(self, positions):
        training, draws = self.training, self.training.order  # no other source of chance, and no state of its own
        images, labels = training.images(positions)
        if not self.chance or torch.rand((), generator=draws, device=draws.device) >= self.chance:
            return training.objective(*training.forward(images, labels), labels)
        rarity = (1 / training.split.counts)[training.split.train.labels]
        patches, theirs = training.images(torch.multinomial(rarity, len(positions), replacement=True, generator=draws))
        rows, columns = box(*images.shape[2:], draws)
        images[:, :, rows, columns] = patches[:, :, rows, columns]
        share = patches[0, 0, rows, columns].numel() / patches[0, 0].numel()
        seen = training.forward(images, labels)
        return (1 - share) * training.objective(*seen, labels) + share * training.objective(*seen, theirs)


@part("step", "my_paste")
class Paste(Step):
    """A box of each image comes from an image of a rare class, its label by its share (Park et al. 2022, CVPR, CMO)."""

    paste_chance: float = param(0.5, "share of the batches that are pasted into; 0: none", low=0, high=1, tune=(0.3, 0.5))

    def bind(self, training):
        return Pasting(training, self.paste_chance)


method(
    "my_paste", "mixing", "boxes of rare classes pasted into images", "Park et al. 2022, CVPR, algorithm 1",
    step="my_paste", space=("paste_chance",), neutral=Neutral({"paste_chance": 0.0}),
)  # fmt: skip
