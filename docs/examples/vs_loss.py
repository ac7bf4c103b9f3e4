import torch.nn.functional as F

from lt_core.fields import param
from lt_core.losses import Loss
from lt_core.methods import Neutral, method
from lt_core.parts import part


@part("loss", "my_vs")
class VectorScaling(Loss):
    """−log softmax(Δ·z + ι)_y, Δ_c = (n_c/n_max)^γ, ι_c = τ·log(n_c/N): VS (orparask/VS-Loss, losses.py)."""

    vs_gamma: float = param(0.3, "γ, exponent of the factors Δ; at 0 they are 1", low=0, tune=(0.1, 0.3))
    vs_tau: float = param(1.0, "τ, strength of the shifts ι; at 0 there are none", low=0, tune=(0.5, 1.0))

    def bind(self, counts):
        delta, iota = (counts / counts.max()) ** self.vs_gamma, self.vs_tau * (counts / counts.sum()).log()
        return lambda outputs, labels: F.cross_entropy(delta * outputs + iota, labels, reduction="none")


method(
    "my_vs", "logit_adjustment", "vector-scaling loss", "Kini et al. 2021, NeurIPS",
    loss="my_vs", space=("vs_gamma", "vs_tau"), neutral=Neutral({"vs_gamma": 0.0, "vs_tau": 0.0}),
)  # fmt: skip
