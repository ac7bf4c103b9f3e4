"""The independent parts that a method chooses: loss, weights, sampling, schedule, head, post-hoc correction, and the other groups
of `NEUTRAL` in `lt_core.identity`, which most methods leave alone.

A part is a small frozen dataclass whose fields are its parameters. Methods, suites and the command line choose it by its name.
Parameters of all parts share one flat name space, so two groups must not use the same parameter name.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar, cast

from lt_core.errors import UserError, unknown
from lt_core.fields import Domain, build, domains
from lt_core.identity import NEUTRAL
from lt_core.registry import Registry
from lt_core.spec import TrialSpec


@dataclass(frozen=True)
class Part(ABC):  # noqa: B024 (the base class of each group says what must be defined)
    """Base of all parts. ``name`` is set by `part`."""

    name: ClassVar[str] = ""
    #: What the part does that is impossible with stored features instead of pictures, such as "changes pictures"; empty: nothing.
    beyond_features: ClassVar[str] = ""
    #: Whether the part does the same operations on tensors in every training step: it reads no number from the device, and makes
    #: no decision and draws no random number on the host. Then the step may be recorded and replayed; see `promises`.
    captured: ClassVar[bool] = False

    @property
    def whole_batch(self) -> str:
        """Why a batch must not be split, such as "mixes the images of a batch"; empty if the loss of a batch is the mean over its
        images, no matter which of them are computed together.
        """
        return ""

    def check(self, spec: TrialSpec) -> None:  # noqa: B027 (most parts need nothing)
        """Reject a trial that lacks what this part needs, before anything starts.

        Raises:
            UserError: what is missing, and how to get it.
        """


#: Group → its choices.
GROUPS: dict[str, Registry[type[Part]]] = {group: Registry(group) for group in NEUTRAL}
P = TypeVar("P", bound=type[Part])


def promises(part: object, name: str = "captured") -> bool:
    """Whether ``part``, a piece of a method or of a network, promises what `Part.captured` says, in its attribute ``name``.

    A promise of this package holds only for its own classes: a class of somebody else that derives from one of them may do
    anything, so it has to promise for itself.
    """
    made_in = next((kind for kind in type(part).__mro__ if name in vars(kind)), type(part))
    return bool(getattr(part, name, False)) and (_is_ours(type(part)) or not _is_ours(made_in))


def repeats(module: object) -> bool:
    """Whether a layer of a classifier does the same in every step, as torch's layers and our own do."""
    return type(module).__module__.startswith("torch.") or _is_ours(type(module)) or promises(module)


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith(f"{__package__}.")


def part(group: str, name: str) -> Callable[[P], P]:
    """Class decorator: register a choice for ``group`` under ``name``.

    >>> from lt_core.fields import param
    >>> from lt_core.methods import resolve
    >>> from lt_core.weights import Weights
    >>> @part("weights", "logarithmic")
    ... class Logarithmic(Weights):
    ...     offset: float = param(1.0, "what is added to each class size", above=0)
    ...
    ...     def bind(self, counts):
    ...         raw = 1 / (self.offset + counts).log()
    ...         return raw * len(raw) / raw.sum()
    >>> resolve("softmax[weights=logarithmic,offset=2]").params["offset"]
    2.0

    Raises:
        UserError: there is no such group, the name is taken, or a part of another group has a parameter of that name.
    """
    if group not in GROUPS:
        raise unknown("group of parts", group, GROUPS)

    def register(cls: P) -> P:
        made = dataclass(frozen=True)(cls)
        made.name = name
        for other, registry in GROUPS.items():
            for choice in registry if other != group else ():
                shared = {f.name for f in fields(made)} & {f.name for f in fields(registry[choice])}
                if shared:
                    raise UserError(
                        f"{group} {name} and {other} {choice} both have a parameter {shared.pop()}: rename one of them"
                    )
        GROUPS[group].add(name, made)
        return cast(P, made)

    return register


def parameters(choices: Mapping[str, str]) -> dict[str, Domain]:
    """Every parameter of the chosen parts, by name."""
    return {name: d for group, choice in choices.items() for name, d in domains(GROUPS[group][choice]).items()}


def build_parts(params: Mapping[str, Any], where: str = "") -> dict[str, Part]:
    """The parts that the flat ``params`` describe: group → part. Groups that are not mentioned are neutral.

    Raises:
        UserError: a choice does not exist, or a parameter is outside its domain.
    """
    built = {}
    for group, registry in GROUPS.items():
        cls = registry[params.get(group, NEUTRAL[group])]
        built[group] = build(cls, {f.name: params[f.name] for f in fields(cls) if f.name in params}, where)
    return built
