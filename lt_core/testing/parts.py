"""What must hold for every part, whatever its group."""

from __future__ import annotations

import dataclasses
from functools import partial

from lt_core.augment import Augment
from lt_core.fields import build, domains
from lt_core.losses import Loss
from lt_core.methods import resolve
from lt_core.models.heads import Head
from lt_core.parts import GROUPS, Part
from lt_core.posthoc import Posthoc
from lt_core.regularizer import Regularizer
from lt_core.sampling import Sampling
from lt_core.schedule import Schedule
from lt_core.stages import Stages
from lt_core.steps import Step
from lt_core.synthesis import Synthesis
from lt_core.testing.check import PART, check, expect
from lt_core.testing.domains import outside, refused
from lt_core.weights import Weights

#: Group → the base class of its parts.
BASES: dict[str, type[Part]] = {
    "loss": Loss, "weights": Weights, "sampling": Sampling, "schedule": Schedule, "head": Head, "posthoc": Posthoc, "step": Step,
    "stages": Stages, "regularizer": Regularizer, "synthesis": Synthesis, "augment": Augment,
}  # fmt: skip


def group_of(part: type[Part]) -> str:
    """The group in which ``part`` is registered."""
    return next(group for group, registry in GROUPS.items() if part in registry.values())


@check(PART)
def it_is_what_its_group_expects(part: type[Part]) -> None:
    """It is derived from the base class of its group."""
    base = BASES[group_of(part)]
    expect(issubclass(part, base), f"{part.__name__} is not a {base.__name__}: derive it from {base.__module__}.{base.__name__}")


@check(PART)
def it_says_what_it_is(part: type[Part]) -> None:
    """It has a docstring, and each parameter a description."""
    written = part.__dict__.get("__doc__") or ""
    expect(
        written and not written.startswith(f"{part.__name__}("), f"{part.__name__} has no docstring: give its formula and source"
    )
    for key, domain in domains(part).items():
        expect(domain.help, f"parameter {key} has no description: param(…, 'what it means')")


@check(PART)
def all_its_fields_are_parameters(part: type[Part]) -> None:
    """Every field is declared with param(…), because only such fields are checked, labelled and part of an ID."""
    for field in dataclasses.fields(part):
        expect(field.name in domains(part), f"field {field.name} is not declared with param(…)")


@check(PART)
def its_parameters_are_its_groups_own(part: type[Part]) -> None:
    """No parameter is called like a group, or like a parameter in another group, because all share one flat name space."""
    group = group_of(part)
    for key in domains(part):
        expect(key not in GROUPS, f"parameter {key} has the name of a group of parts")
        for other, registry in GROUPS.items():
            for choice in registry if other != group else ():
                expect(key not in domains(registry[choice]), f"{other} {choice} also has a parameter {key}")


@check(PART)
def its_defaults_lie_in_their_domains(part: type[Part]) -> None:
    """Its defaults lie in their domains, and survive being written in a label."""
    made = part()
    for key, value in vars(made).items():
        read = getattr(build(part, {key: str(value)}), key)
        expect(read == value, f"the default of {key}, {value!r}, becomes {read!r} when it is written in a label")
    expect(build(part, vars(made)) == made and hash(made) == hash(part()), "two instances with the same values are not equal")


@check(PART)
def it_refuses_values_outside_a_domain(part: type[Part]) -> None:
    """A value outside the domain of a parameter is rejected with an error that names the parameter."""
    chosen = {group_of(part): part.name}
    for field in dataclasses.fields(part):
        domain = domains(part).get(field.name)
        for value in outside(domain, field.default, field.default is None) if domain else ():
            taken = {**chosen, field.name: value}
            expect(refused(partial(resolve, "softmax", taken), field.name), f"{field.name} = {value!r} is accepted")
