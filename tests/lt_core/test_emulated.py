"""The emulated GPU rejects what CUDA rejects, and counts operations that make the host wait or that upload."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from lt_core.data.loader import Images, Split
from lt_core.methods import METHODS, resolve
from lt_core.parts import build_parts
from lt_core.testing.emulated import Emulated, emulated_gpu
from lt_core.testing.gpu_rules import Refused
from lt_core.testing.on_gpu import emulation_spec, on_emulated_gpu, told
from lt_core.testing.trials import tiny_spec
from lt_core.training import run_trial
from lt_core.training.loop import Training
from lt_core.training.runtime import Runtime

GPU = "cuda"


@pytest.fixture
def gpu():
    with emulated_gpu() as made:
        yield made


def test_a_tensor_says_where_it_is_and_computes_what_the_cpu_computes(gpu):
    one = torch.arange(6.0).reshape(2, 3).to(GPU)
    assert isinstance(one, Emulated)
    assert (one.device.type, one.is_cuda, one.sum(0).device) == ("cuda", True, torch.device("cuda", 0))
    assert (one @ one.T).cpu().tolist() == [[5, 14], [14, 50]]
    assert torch.ones(2, device=GPU).new_tensor([1, 2]).cpu().tolist() == [1, 2]
    one[0] = 7.0
    one[:, [1, 2]] = 0.0
    assert one.cpu().tolist() == [[7, 0, 0], [3, 0, 0]]


def test_slopes_and_copies_of_networks_stay_on_it(gpu):
    net = torch.nn.Linear(2, 1).to(GPU)
    net(torch.ones(3, 2, device=GPU)).sum().backward()
    assert net.weight.grad.cpu().tolist() == [[3, 3]]
    twin = copy.deepcopy(net)
    assert isinstance(twin.weight, torch.nn.Parameter)
    with torch.no_grad():
        twin.weight.zero_()
    assert net.weight.cpu().abs().sum() > 0


@pytest.mark.parametrize(
    "mistake",
    [
        lambda x: x + torch.ones(3),
        lambda x: torch.cat([x, torch.tensor([1.0])]),
        lambda x: torch.arange(9.0)[x.long()],
        lambda x: x.index_put((x.long(),), torch.ones(3)),
        lambda x: x.gather(0, torch.zeros(2, dtype=torch.int64)),
        lambda x: torch.rand(3, device=GPU, generator=torch.Generator()),
        lambda x: torch.randperm(3, generator=torch.Generator(GPU)),
        lambda x: x.numpy(),
        lambda x: np.asarray(x),
    ],
)
def test_what_cuda_refuses_is_refused(gpu, mistake):
    with pytest.raises(Refused):
        mistake(torch.ones(3, device=GPU))


@pytest.mark.parametrize(
    ("work", "waits", "uploads"),
    [
        (lambda x: x * 2 + 1, 0, 0),
        (lambda x: x[0] + x.sum(), 0, 0),
        (lambda x: torch.where(x > 1, x, torch.zeros_like(x)), 0, 0),
        (lambda x: x + torch.tensor(1.0), 0, 0),  # a number is passed with the launch
        (lambda x: float(x.sum()), 1, 0),
        (lambda x: bool((x > 1).any()), 1, 0),
        (lambda x: x.tolist(), 1, 0),
        (lambda x: x[x > 0], 1, 0),
        (lambda x: x.nonzero(), 1, 0),
        (lambda x: x.cpu(), 1, 0),
        (lambda x: x.unique(), 1, 0),
        (lambda x: x.multinomial(2), 1, 0),
        (lambda x: torch.unique_consecutive(x), 1, 0),
        (lambda x: torch.allclose(x, x), 1, 0),
        (lambda x: torch.cuda.synchronize(), 1, 0),
        (lambda x: f"{x.sum():.2f}", 1, 0),
        (lambda x: torch.linalg.inv(torch.diag(x)), 1, 0),
        (lambda x: torch.ones(3).to(GPU), 0, 1),
        (lambda x: torch.ones(3).cuda(), 0, 1),
        (lambda x: x[torch.tensor([0, 1])], 0, 1),
        (lambda x: torch.tensor([1.0, 2.0], device=GPU), 0, 1),
    ],
)
def test_waits_and_uploads_are_counted_by_line(gpu, work, waits, uploads):
    x = torch.ones(3, device=GPU)
    gpu.costs.clear()
    work(x)
    assert {kind: sum(n for (k, _, _), n in gpu.costs.items() if k == kind) for kind in ("wait", "upload")} == {
        "wait": waits,
        "upload": uploads,
    }
    assert all("test_emulated.py:" in line for _, line, _ in gpu.costs)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")  # of the weights, which nothing here reads
def test_what_a_recorded_step_of_adam_uses_is_on_the_card_after_a_checkpoint(gpu, tmp_path):
    """Its rate, and the number of steps, which it increases. Checkpoints are read to the CPU."""
    images = Images(torch.zeros(60, 8, 8, 1, dtype=torch.uint8).to(GPU), torch.zeros(60, dtype=torch.int64).to(GPU))
    split = Split(images, images, images, torch.tensor([60.0, 1.0], dtype=torch.float64).to(GPU), (8, 8, 1))
    one, other = (Training(tiny_spec(optimizer="adam"), split, torch.device("cuda", 0)) for _ in range(2))
    one.run_epoch()  # a single step, so that nothing is recorded
    torch.save(one.state(), tmp_path / "state.pt")
    other.restore(torch.load(tmp_path / "state.pt", map_location="cpu", weights_only=True))
    for training in (one, other):
        counts = [state["step"] for state in training.optimizer.state.values()]
        assert counts and all(count.is_cuda and float(count) == 1 for count in counts)
        assert all(group["capturable"] and group["lr"].is_cuda for group in training.optimizer.param_groups)


@pytest.mark.parametrize(
    ("label", "named"),
    [("joint_aug", True), ("joint_aug[gan_share=0]", False), ("softmax", False)],
)
def test_a_row_names_the_operation_that_a_card_cannot_repeat(label, named):
    """CycleGANs have one, if they are trained at all. On a CPU there is none."""
    spec = emulation_spec(label)
    result, _ = on_emulated_gpu(spec)
    assert result.status == "ok", result.traceback
    said = result.environment.get("not_repeatable")
    assert said == ("gradient of CycleGAN's reflection padding" if named else None)
    assert "not_repeatable" not in run_trial(spec, Runtime(device="cpu")).environment


def plain(method):
    return build_parts(resolve(method).params)["step"].captured


#: Waits and uploads per step, for the methods whose steps have any; all others have none.
COSTS = {
    "range_loss": (3, 0),  # which classes there are, how large they are, and how many of their ranges are not 0
    "joint_alt": (10, 0),  # which images are to be translated
    "fixmatch": (0, 3),  # which image has which operation, how strong, and the squares of cutout
    "fixmatch_da": (0, 3),
    "self_training": (0, 4),
    "crest": (0, 4),
    "crest_plus": (0, 4),
    "abc": (0, 6),  # two strong views
    "bi_sampling": (0, 6),
    "bis": (0, 6),
}


@pytest.mark.parametrize("method", sorted({*COSTS, *(name for name in METHODS if not plain(name))}))
def test_what_a_step_costs_the_host_is_known(method):
    """This covers every method whose steps may not be recorded; for all others, a check shows that they have none."""
    result, steps = on_emulated_gpu(emulation_spec(method))
    assert result.status == "ok", result.traceback
    waits, uploads = COSTS.get(method, (0, 0))
    assert steps.each("wait") <= waits and steps.each("upload") <= uploads, told(steps.costs)
    assert bool(steps.costs) == (method in COSTS)
