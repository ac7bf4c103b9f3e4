"""The recipe that most public training scripts share, for comparison: DataLoader, PIL, float32, NCHW, loss.item()."""

from __future__ import annotations

import time
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lt_core.data.loader import Split
from lt_core.models import build_model
from lt_core.models.heads import Head
from lt_core.parts import build_parts
from lt_core.spec import TrialSpec

_MEAN, _STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


def as_usual(threads: int) -> None:
    """The settings of most scripts: cuDNN searches for the fastest kernels, and TF32 and sums in any order are allowed."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.deterministic = False
    torch.backends.cudnn.allow_tf32 = True


class Pictures(Dataset[tuple[Tensor, int]]):
    """The training images of ``split`` as PIL pictures, transformed one by one."""

    def __init__(self, split: Split) -> None:
        self.pictures = [Image.fromarray(pixels) for pixels in np.asarray(split.train.pixels.cpu())]
        self.labels = split.train.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(_MEAN, _STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        return self.transform(self.pictures[position]), self.labels[position]


class Usual:
    """A training script as people write it, with the model of ``spec`` and with ``workers`` processes that load pictures."""

    def __init__(self, spec: TrialSpec, split: Split, device: torch.device, workers: int = 2) -> None:
        self.recipe, self.device, self.workers = spec.recipe, device, workers
        self.pictures = Pictures(split)
        head = cast(Head, build_parts(spec.method.params)["head"])
        self.model = build_model(spec.recipe.model, split.shape, len(split.counts), head, spec.seed).to(device)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), self.recipe.lr, momentum=self.recipe.momentum, weight_decay=self.recipe.weight_decay
        )

    def seconds(self, images: int) -> float:
        """Time for ``images`` images while the workers run at full speed.

        Neither the start of the workers nor batches that were ready before the clock started are counted: one batch is trained
        before, and as many as the workers prepare in advance are left over. A script pays for both once per epoch.
        """
        batch, ahead = self.recipe.batch_size, 2 * self.workers  # DataLoader's prefetch_factor is 2
        sizes = [batch, *[min(batch, images - start) for start in range(0, images, batch)], *[batch] * ahead]
        order = torch.cat([torch.randperm(len(self.pictures)) for _ in range(1 + sum(sizes) // len(self.pictures))])
        loader = DataLoader(
            self.pictures,
            batch_sampler=[positions.tolist() for positions in order[: sum(sizes)].split(sizes)],
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
        )
        self.model.train()
        batches = iter(loader)
        self.step(*next(batches))
        start = time.perf_counter()
        for _ in sizes[1:-ahead]:
            self.step(*next(batches))  # its loss.item() waits for the device
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    def step(self, images: Tensor, labels: Tensor) -> float:
        images = images.to(self.device, non_blocking=True)
        labels = labels.to(self.device, non_blocking=True)
        loss = self.criterion(self.model(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()
