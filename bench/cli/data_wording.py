"""What the command line says about sets of pictures."""

from __future__ import annotations

from collections.abc import Sequence

from lt_core.data.pictures.added import Added
from lt_core.data.pictures.facts import Facts, facts, gini, shots
from lt_core.data.pictures.lists import Labels
from lt_core.data.pictures.making import gigabytes
from lt_core.data.pictures.standard import Located, key_at
from lt_core.data.registered import Definition
from lt_core.data.sets import DATASETS
from lt_core.data.standard import Standard
from lt_core.labels import counted

_SHOWN = 10  # the most files of one kind that are named
_BARS, _WIDTH = 20, 40  # lines of the class profile, and characters of the longest bar


def added_words(added: Added) -> str:
    """What was added, what was left out, and what to do next."""
    definition = added.definition
    lines = [f"{definition.name}@{definition.version}: {_sizes(definition)}", *_odd(facts(definition, added.manifest))]
    lines += [f"  {note}" for note in added.notes]
    if added.former:
        lines.append(
            f"  it was {definition.name}@{added.former} before: rows of that version are kept, and never share a "
            "cell with new rows"
        )
    use = f"data: {{dataset: {definition.name}, imbalance_type: natural}}"
    return "\n".join([*lines, f"  see `data show {definition.name}`; in a suite: {use}"])


def facts_words(definition: Definition, found: Facts) -> str:
    """All that is known about a set, one line per topic."""
    smallest, median, largest = (f"{short} × {long}" for short, long in found.sides)
    disk = ", ".join(f"{_room(room)} at {size}" for size, room in found.disk.items())
    given = f", test {definition.test}" if definition.test else f", with test images chosen by seed {definition.split_seed}"
    lines = [
        f"{DATASETS.versioned(definition.name)}: {_sizes(definition)}",
        f"  from          {definition.train}{given}",
        _imbalance(definition.train_counts),
        f"  picture sizes {smallest} to {largest}, median {median} pixels",
        f"  decoded       at {definition.size} pixels; the cache takes {disk} pixels",
        f"  fingerprint   {definition.fingerprint}",
    ]
    return "\n".join(lines + _odd(found))


def standard_words(source: Standard, at: Located) -> str:
    """Where a standard set was found, and which lists it has; also its sizes, if its pictures are not decoded yet."""
    definition, pictures = at.definition, sum(len(layout.entries) for _, layout in at.layouts)
    lines = [
        source.about,
        labels_words("training", at.train),
        f"{labels_words('test', at.test)}; {source.tests}",
        *_own_validation(source, at),
        f"  pictures      all {pictures:,} were found below {definition.root}",
    ]
    if not key_at(at):
        room = f"{_room(gigabytes(pictures, source.size))} at {source.size} pixels"
        lines += [_imbalance(definition.train_counts), f"  decoded       not yet; the first run writes {room}"]
    return "\n".join(lines)


def _own_validation(source: Standard, at: Located) -> list[str]:
    if not source.validation:
        return []
    missing = f"  validation    {source.validation.list.name} or its pictures not found; only suites with validation need them"
    return [labels_words("validation", at.validation) if at.validation else missing]


def labels_words(what: str, labels: Labels) -> str:
    """A list, and whether it is the published copy."""
    images, classes = sum(labels.counts), counted(len(labels.counts), "class", "classes")
    known = f": {images:,} images of {classes}, {labels.standing}" if labels.counts else f", {labels.standing}"
    return f"  {what:<13} {labels.place}{known}"


def profile_words(definition: Definition) -> str:
    """Class sizes from head to tail as bars; of many classes, a regular selection is shown."""
    counts, names = definition.train_counts, definition.class_names
    order = sorted(range(len(counts)), key=lambda c: -counts[c])
    shown = order if len(order) <= _BARS else [order[round(i * (len(order) - 1) / (_BARS - 1))] for i in range(_BARS)]
    wide = min(24, max(len(names[c]) for c in shown))
    lines = [
        f"  {names[c][:wide]:<{wide}} {counts[c]:>7,} {'█' * max(1, round(_WIDTH * counts[c] / counts[order[0]]))}" for c in shown
    ]
    return "\n".join([f"training images of {'' if shown is order else f'{len(shown)} of '}{len(counts)} classes:", *lines])


def _imbalance(counts: Sequence[int]) -> str:
    many, medium, few = shots(counts)
    groups = f"{many} many-shot, {medium} medium-shot and {few} few-shot {'class' if few == 1 else 'classes'}"
    return f"  imbalance     factor {max(counts) / min(counts):g}, Gini {gini(counts):.3f}; {groups}"


def _room(gigabytes: float) -> str:
    return f"{gigabytes:.3g} GB" if gigabytes >= 0.1 else f"{1000 * gigabytes:.3g} MB"


def _sizes(definition: Definition) -> str:
    counts = definition.train_counts
    classes = counted(len(counts), "class", "classes")
    each = f"{max(counts):,}" if max(counts) == min(counts) else f"{max(counts):,}…{min(counts):,}"
    training = f"{sum(counts):,} training images ({each} per class)"
    return f"{classes}, {training}, {definition.test_count:,} test images, {definition.size} × {definition.size} pixels"


def _odd(found: Facts) -> list[str]:
    """Lines about files that a user should look at."""
    lines = [f"  {counted(count, 'picture')}: {note}" for note, count in found.notes.items()]
    if found.small:
        lines.append(f"  {counted(found.small, 'picture')} smaller than the size of the set and scaled up")
    if found.unreadable:
        named = [f"{picture} ({reason})" for picture, reason in found.unreadable]
        lines.append(f"  {counted(len(named), 'unreadable file')} left out:{_named(named)}")
    for pictures, words in (
        (found.copies, "identical to another one of the same split"),
        (found.relabelled, "identical to one with another label"),
        (found.shared, "in the test set and also in the training set"),
    ):
        if pictures:
            lines.append(f"  {counted(len(pictures), 'picture')} {words}:{_named(pictures)}")
    return lines


def _named(files: Sequence[str]) -> str:
    more = [f"and {len(files) - _SHOWN} more"] if len(files) > _SHOWN else []
    return "".join(f"\n      {file}" for file in [*files[:_SHOWN], *more])
