"""What must hold for every method."""

from __future__ import annotations

from typing import Any

import torch

from lt_core.methods import METHODS, Method, resolve
from lt_core.parts import build_parts
from lt_core.testing.check import check, expect
from lt_core.testing.trials import extreme_logits, measured


def _has_a_neutral_point(method: Method) -> bool:
    return bool(method.neutral.at and method.neutral.equals)


def _has_none(method: Method) -> bool:
    return not _has_a_neutral_point(method) and bool(method.neutral.reason)


def settings(method: Method) -> list[dict[str, Any]]:
    """The declared setting, the neutral one, and each value worth trying."""
    domains = method.domains()
    return [{}, dict(method.neutral.at), *({key: value} for key in method.space for value in domains[key].tune)]


@check("method")
def its_declaration_is_whole(method: Method) -> None:
    """Its declaration says what it is, where it comes from, and what to tune."""
    expect(METHODS[method.name] is method, f"it is registered under a name that is not its own, {method.name}")
    for word in ("about", "cite", "family"):
        expect(getattr(method, word), f"its '{word}' is empty")
    domains = method.domains()
    for key in method.space:
        expect(key in domains, f"{key} is in the tuning space, but none of its parts has such a parameter")
        values = domains[key].tune
        expect(len(set(values)) > 1, f"{key} is in the tuning space, but has no values to choose from: give param(…, tune=(…))")
        for value in values:
            taken = method.resolve({key: value}).params[key]
            expect(taken == value, f"{key}, tried at {value!r}, becomes {taken!r}")
        labels = {method.resolve({key: value}).label for value in values}
        expect(len(labels) == len(values), f"{key} has {len(values)} values to try, but only {len(labels)} distinct labels")


@check("method")
def its_neutral_point_is_stated(method: Method) -> None:
    """It states the setting at which it equals a plainer method, or why there is none."""
    neutral = method.neutral
    if neutral.equals != "softmax":
        expect(neutral.reason, "a method that never equals softmax cross-entropy must say why: Neutral(…, reason=…)")
    if neutral.equals and not neutral.at:
        expect(
            neutral.equals == method.name,
            f"it states no setting at which it equals {neutral.equals}: give one, or say that there is none, with "
            "Neutral({}, equals='', reason='why')",
        )


@check("method", _has_a_neutral_point)
def it_is_the_plainer_method_at_its_neutral_point(method: Method) -> None:
    """At its neutral point it equals the plainer method, to the bit."""
    neutral = method.neutral
    mine, plain = measured(method.name, dict(neutral.at)), measured(neutral.equals, beside=method.name)
    expect(mine == plain, f"at {dict(neutral.at)} its figures differ from those of {neutral.equals}")


@check("method", _has_a_neutral_point)
def it_is_another_away_from_it(method: Method) -> None:
    """Away from its neutral point it differs; otherwise its neutral point would prove nothing."""
    early = {"defer": 0.3} if "defer" in method.domains() else {}
    mine, plain = measured(method.name, early), measured(method.neutral.equals, beside=method.name)
    expect(mine != plain, f"as declared, it has the same figures as {method.neutral.equals}")


@check("method", _has_none)
def it_is_not_softmax_as_it_says(method: Method) -> None:
    """If it states that it never equals softmax cross-entropy, it does not, as declared or with everything turned down."""
    least = {key: domain.low for key, domain in method.domains().items() if domain.low is not None}
    for at in ({}, least):
        expect(
            measured(method.name, at) != measured("softmax", beside=method.name), f"at {at} it has the same figures as softmax"
        )


@check("method")
def its_label_names_all_of_it(method: Method) -> None:
    """Its label, name[key=value,…], is enough to make it again, at any setting."""
    for at in settings(method):
        made = method.resolve(at)
        expect(resolve(made.label) == made, f"the label of {at}, {made.label}, stands for a different setting")
    expect(method.resolve().label == METHODS.versioned(method.name), "its label as declared is not its name")


@check("method")
def its_loss_is_finite_at_extreme_logits(method: Method) -> None:
    """Its weighted loss, its gradient and its probabilities are finite at logits of ±10⁴, in bfloat16 too."""
    counts = torch.tensor([5000.0, 100.0, 1.0], dtype=torch.float64)
    extreme, labels = extreme_logits()
    for at in settings(method):
        parts: dict[str, Any] = build_parts(method.resolve(at).params)
        for dtype in (torch.float32, torch.bfloat16):
            given = extreme.to(dtype).requires_grad_()
            logits = given.float()  # as the network returns them
            weights = parts["weights"].bind(counts).float()[labels]
            losses = parts["loss"].bind(counts.float())(logits, labels)
            loss = parts["weights"].average(losses, weights)
            (gradient,) = torch.autograd.grad(loss, given)
            expect(loss.isfinite() and gradient.isfinite().all(), f"at {at} in {dtype}, its loss or gradient is not finite")
            made = parts["posthoc"].probabilities(parts["loss"].logits(logits), parts["loss"], counts)
            inside = made.isfinite().all() and (made >= 0).all() and (made <= 1).all()
            expect(inside, f"at {at} in {dtype}, its probabilities are not between 0 and 1")
            first, second = logits.topk(2).values.T
            leads = first > second  # by 10⁴, which no class prior can outweigh
            right = made.argmax(dim=1)[leads].equal(logits.argmax(dim=1)[leads])
            expect(right, f"at {at} in {dtype}, the most probable class is not the one with the largest logit")
