"""One CycleGAN (Zhu et al. 2017, ICCV) between two classes of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lt_core.models.cyclegan import PatchDiscriminator, Translator
from lt_core.optimizers import Adam

#: (images of the large class, images of the small class, as made: [B, channels, H, W] in −1…1) → a scalar.
ClassLoss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class CycleGANConfig:
    """The networks and the weights of their losses."""

    identity_weight: float  # α
    cycle_weight: float  # β
    lr: float
    width: int
    blocks: int
    large_patches: bool = False


@contextmanager
def fixed(*nets: nn.Module) -> Iterator[None]:
    """In this block gradients pass through ``nets`` without being accumulated in them."""
    trained = [p for net in nets for p in net.parameters() if p.requires_grad]
    for p in trained:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in trained:
            p.requires_grad_(True)


class CycleGAN:
    """Generators both ways between a large class A and a small class B, and a discriminator for each; ``dtype`` to compute in,
    if that is not float32.

    Every step minimises L_GAN(A→B) + L_GAN(B→A) + β·(|G(F(b)) − b| + |F(G(a)) − a|) + α·(|G(b) − b| + |F(a) − a|), with
    least-squares L_GAN and mean absolute differences, then the discriminators' loss. There is no buffer of past images, which
    CycleGAN uses against the noise of batches of one: batches are larger here.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        config: CycleGANConfig,
        seed: int,
        device: torch.device,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.config, self.mixed = config, torch.autocast(device.type, dtype=dtype, enabled=dtype is not None)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.to_b, self.to_a = (Translator(shape, config.width, config.blocks) for _ in range(2))
            self.discriminator_a, self.discriminator_b = (
                PatchDiscriminator(shape, config.width, config.large_patches) for _ in range(2)
            )
        self.nets = nn.ModuleList([self.to_b, self.to_a, self.discriminator_a, self.discriminator_b])
        self.nets.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        generators, discriminators = ([*one.parameters(), *other.parameters()] for one, other in (self.nets[:2], self.nets[2:]))
        self.generators, self.discriminators = (
            Adam(p, lr=config.lr, betas=(0.5, 0.999), fused=True) for p in (generators, discriminators)
        )

    def step(self, a: Tensor, b: Tensor, rate: float, class_loss: ClassLoss | None = None) -> Tensor:
        """One step of all four networks on images [B, channels, H, W] in −1…1; the generators' loss, detached.

        Args:
            rate: learning rate.
            class_loss: a term from a classifier, added to the generators' loss.
        """
        for optimizer in (self.generators, self.discriminators):
            for group in optimizer.param_groups:
                group["lr"] = rate
        count = len(a)
        # One pass through each generator for both its images: instance norm keeps them apart.
        for_b, same_b = self._of(self.to_b, a, b).split([count, len(b)])
        for_a, same_a = self._of(self.to_a, b, a).split([len(b), count])
        with fixed(self.discriminator_a, self.discriminator_b):
            loss = _real(self._of(self.discriminator_b, for_b)) + _real(self._of(self.discriminator_a, for_a))
        if self.config.cycle_weight:
            loss = loss + self.config.cycle_weight * (
                F.l1_loss(self._of(self.to_a, for_b), a) + F.l1_loss(self._of(self.to_b, for_a), b)
            )
        if self.config.identity_weight:
            loss = loss + self.config.identity_weight * (F.l1_loss(same_a, a) + F.l1_loss(same_b, b))
        if class_loss is not None:
            loss = loss + class_loss(for_a, for_b)
        self.generators.zero_grad(set_to_none=True)
        loss.backward()
        self.generators.step()
        apart = (self._apart(self.discriminator_a, a, for_a.detach()) + self._apart(self.discriminator_b, b, for_b.detach())) / 2
        self.discriminators.zero_grad(set_to_none=True)
        apart.backward()
        self.discriminators.step()
        return loss.detach()

    @torch.no_grad()
    def translate(self, images: Tensor, back: bool = False) -> Tensor:
        """Images of A as images of B, or ``back``."""
        return self._of(self.to_a if back else self.to_b, images)

    def _of(self, net: nn.Module, *images: Tensor) -> Tensor:
        """What ``net`` makes of all ``images``, in float32."""
        with self.mixed:
            out: Tensor = net(torch.cat(images)).float()
            return out

    def _apart(self, discriminator: nn.Module, real: Tensor, generated: Tensor) -> Tensor:
        """How badly ``discriminator`` tells real images from generated ones."""
        on_real, on_generated = self._of(discriminator, real, generated).split([len(real), len(generated)])
        out: Tensor = _real(on_real) + on_generated.square().mean()
        return out

    def state(self, finished: bool = False) -> dict[str, Any]:
        """All that the next step depends on; if there is none any more, what translation depends on."""
        if finished:
            return {"to_b": self.to_b.state_dict(), "to_a": self.to_a.state_dict()}
        return {
            "nets": self.nets.state_dict(),
            "generators": self.generators.state_dict(),
            "discriminators": self.discriminators.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        for name, values in state.items():
            getattr(self, name).load_state_dict(values)


def _real(answers: Tensor) -> Tensor:
    return (answers - 1).square().mean()
