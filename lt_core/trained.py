"""A trained classifier in a file (`run --keep weights`): the network that predicts, and how its outputs are interpreted.

The file is in the format of safetensors, which holds numbers and no code. Its tensors are the state of the network
(``network.…``), the normalisation of pixels (``scale``, ``shift``) and the class sizes in training (``counts``); the rest is in
the header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

import lt_core.methods  # noqa: F401  (registers every part)
from lt_core.data.loader import as_evaluated
from lt_core.errors import UserError, in_a_line
from lt_core.losses.base import Loss
from lt_core.models.registry import Net
from lt_core.parts import GROUPS, Part
from lt_core.posthoc import Posthoc
from lt_core.side_file import WEIGHTS
from lt_core.spec import TrialSpec
from lt_core.stages.base import Blueprint, Stage, stages_of

#: Version of the tensors and the header of a file; a file with another version is refused.
LAYOUT = 1
_HEADER, _NETWORK = "lt_bench", "network."
_DTYPES = {"float32": None, "bfloat16": torch.bfloat16}


class Trained(nn.Module):
    """A classifier as its trial left it, which turns pictures into class probabilities.

    >>> import tempfile
    >>> from lt_core.testing.trials import tiny_spec
    >>> from lt_core.training import Runtime, run_trial
    >>> folder, spec = tempfile.mkdtemp(), tiny_spec("logit_adjusted", epochs=1)
    >>> result = run_trial(spec, Runtime(device="cpu", weights=folder))
    >>> classifier = load(WEIGHTS.path(folder, spec.trial_id), result.environment["weights"])
    >>> pictures = torch.zeros(2, 8, 8, 1, dtype=torch.uint8)
    >>> classifier(pictures).shape, classifier.spec == spec
    (torch.Size([2, 10]), True)

    Attributes:
        spec: the trial.
        network: images [B, channels, H, W] to outputs [B, C], by way of features [B, width]; in evaluation mode.
        shape: height, width and channels of the images that the network is given.
        counts: [C], class sizes in training, which corrections of predictions use.
    """

    scale: Tensor
    shift: Tensor
    counts: Tensor

    def __init__(
        self, spec: TrialSpec, network: Net, shape: tuple[int, int, int], loss: Loss, posthoc: Posthoc, dtype: torch.dtype | None
    ) -> None:
        super().__init__()
        self.spec, self.network, self.shape = spec, network, shape
        self.loss, self.posthoc, self.dtype = loss, posthoc, dtype

    def images(self, pixels: Tensor) -> Tensor:
        """Stored ``pixels`` uint8 [B, H, W, channels] as the network sees them: float32 [B, channels, H, W]."""
        return as_evaluated(pixels, self.spec.recipe, self.scale, self.shift)

    def said(self, images: Tensor, exact: bool = True) -> tuple[Tensor, Tensor]:
        """Logits [B, C] and features [B, width] of ``images`` [B, channels, H, W], float32.

        Args:
            exact: compute in float32; otherwise in the trial's precision.
        """
        dtype = None if exact else self.dtype
        with torch.autocast(images.device.type, dtype=dtype, enabled=dtype is not None):
            features = self.network.backbone(images)
            return self.loss.logits(self.network.classify(features).float()), features.float()

    @property
    def backbone(self) -> nn.Module:
        """Images [B, channels, H, W] to features [B, width]."""
        return self.network.backbone

    def logits(self, images: Tensor) -> Tensor:
        """Logits [B, C] of ``images`` [B, channels, H, W], computed in float32."""
        return self.said(images)[0]

    @torch.no_grad()
    def predicted(self, images: Tensor) -> Tensor:
        """Class probabilities [B, C] of ``images``, as the trial predicted."""
        return self.probabilities(self.said(images, exact=False)[0])

    def probabilities(self, logits: Tensor) -> Tensor:
        """Class probabilities [B, C] of ``logits``, with the method's correction."""
        return self.posthoc.probabilities(logits, self.loss, self.counts)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> Tensor:
        """Class probabilities [B, C] of ``pixels`` uint8 [B, H, W, channels], as the trial predicted."""
        return self.predicted(self.images(pixels))


def save(spec: TrialSpec, stage: Stage, path: Path) -> str:
    """Write the classifier that the last ``stage`` of a trial left, and return the SHA-256 of the file.

    Equal weights give equal files.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    network, batches, last = *stage.whole, stage.classifier
    tensors = {f"{_NETWORK}{name}": value for name, value in network.state_dict().items()}
    tensors |= {"scale": batches.scale, "shift": batches.shift, "counts": last.split.counts}
    header = {
        "layout": LAYOUT, "spec": spec.to_dict(), "shape": list(batches.shape), "loss": _written(last.loss),
        "posthoc": _written(last.posthoc), "dtype": next(name for name, dtype in _DTYPES.items() if dtype == last.dtype),
    }  # fmt: skip
    # The header is one entry, because the order of several would be left to chance. Tensors are copied, because safetensors
    # refuses those that share memory.
    content = save_tensors(
        {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()},
        {_HEADER: json.dumps(header, sort_keys=True)},
    )
    return WEIGHTS.write(path, content)


def load(path: str | Path, sha256: str = "") -> Trained:
    """The classifier in ``path``, on the CPU; for an example see `Trained`.

    Args:
        sha256: that of the file according to the trial's record, with which the file is compared; empty: no check.

    Raises:
        UserError: there is no such file, it is damaged or not of this kind, or a plug-in file of the trial is not loaded.
    """
    path = Path(path)
    try:
        content = WEIGHTS.read(path, sha256) if sha256 else path.read_bytes()
    except OSError as error:
        raise UserError(f"the weights {path} cannot be read ({error.strerror}): name a file that `weights` wrote") from None
    try:
        header, tensors = _header(content), load_tensors(content)
        if header["layout"] != LAYOUT:
            raise ValueError(f"the file has layout {header['layout']}, but this version reads layout {LAYOUT}")
        spec, shape, counts = TrialSpec.from_dict(header["spec"]), tuple(header["shape"]), tensors["counts"]
        network = stages_of(spec).network(Blueprint(spec, cast(tuple[int, int, int], shape), len(counts)))
        network.load_state_dict({name.removeprefix(_NETWORK): v for name, v in tensors.items() if name.startswith(_NETWORK)})
        loss, posthoc = (_read(group, header[group]) for group in ("loss", "posthoc"))
        made = Trained(spec, network, shape, cast(Loss, loss), cast(Posthoc, posthoc), _DTYPES[header["dtype"]])
        for name in ("scale", "shift", "counts"):
            made.register_buffer(name, tensors[name])
    except UserError:
        raise
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise UserError(f"the weights {path} are damaged, or not in the layout of this version ({in_a_line(error)})") from None
    return made.eval().requires_grad_(False)


def _header(content: bytes) -> Any:
    """Our entry in the header of a file: its first eight bytes are the length of the JSON that follows."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + length])["__metadata__"][_HEADER])


def _written(part: Part) -> dict[str, Any]:
    return {"name": part.name, "params": asdict(part)}


def _read(group: str, written: Mapping[str, Any]) -> Part:
    return GROUPS[group][written["name"]](**written["params"])
