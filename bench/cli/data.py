"""The commands about sets of pictures: `data add`, `data show`, `data verify` and `data list`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.command import Command

app = typer.Typer(
    help="Add, show and verify sets of pictures.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_SHOWN = 50  # the most differences that `verify` prints
_NAME = Annotated[str, typer.Argument(metavar="NAME", help="a set that you added, or a standard set such as imagenet_lt")]
_DATA = Annotated[str | None, typer.Option(metavar="DIR", help="folder that contains the standard set [default: LT_DATA]")]
_PLACE = (
    "a folder with one folder per class or in the layout of CycleGAN's sets, CUB-200-2011 or CelebA (celeba#Smiling), a list "
    "with lines `relative/path label`, COCO annotations (.json), or Parquet files"
)


@app.command("add", cls=Command)
def add_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="name of the set in suites: `data: {dataset: NAME}`")],
    train: Annotated[str, typer.Option(metavar="DIR|LIST|PARQUET", help=f"the training set: {_PLACE}")],
    test: Annotated[
        str,
        typer.Option(metavar="DIR|LIST|PARQUET", help="the test set [default: some training images of each class]"),
    ] = "",
    root: Annotated[
        str, typer.Option(metavar="DIR", help="folder that the paths in lists are relative to [default: the list's folder]")
    ] = "",
    size: Annotated[int, typer.Option(help="height and width of the decoded pictures, in pixels", min=1)] = 64,
    test_each: Annotated[
        int, typer.Option(help="without --test: number of test images per class; 0: a fifth of the smallest class", min=0)
    ] = 0,
    split_seed: Annotated[int, typer.Option(help="without --test: seed for choosing the test images", min=0)] = 0,
) -> None:
    """Add a set of your own pictures.

    Every file is read and decoded once, and the set is registered for this user. Repeating the command adds nothing, and
    continues after an interruption. Different pictures under the same name become a new version of the set, which shares no
    trials with the old one. Pictures are scaled by their shorter side (bicubic) and cropped to the centre.
    """
    from bench.cli.data_wording import added_words
    from lt_core.data.pictures.added import add_set
    from lt_core.frozen.fetch import told

    print(added_words(add_set(name, train, test, root, size, test_each, split_seed, told(name, print))))


@app.command("show", cls=Command)
def show_(
    name: _NAME,
    data: _DATA = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="also draw the class sizes, as PDF, SVG or PNG")] = None,
) -> None:
    """Show the contents of a set of pictures.

    These are its classes, imbalance, picture sizes, problems with files, and disk space. For a standard set, also show which
    lists were found, whether papers use the same lists, and where the pictures are.
    """
    from bench.cli.data_wording import facts_words, profile_words, standard_words
    from lt_core.data.pictures.added import known, manifest_of
    from lt_core.data.pictures.facts import facts
    from lt_core.data.pictures.standard import key_at, located, made, standard

    source = standard(name)
    if source:
        at = located(name, source, data)
        print(standard_words(source, at))
        definition, manifest = made(at) if key_at(at) else (at.definition, None)
    else:
        definition = known(name)
        manifest = manifest_of(definition)
    if manifest:
        print(facts_words(definition, facts(definition, manifest)))
    print(profile_words(definition))
    if out:
        from bench.report.plots import profile, write

        write(profile.draw(definition), out)
        print(out)


@app.command("verify", cls=Command)
def verify_(name: _NAME, data: _DATA = None) -> None:
    """Read every file of a set again and compare it.

    The files are compared with the manifest. Exit code 1: some have changed.
    """
    from lt_core.data.pictures.added import known
    from lt_core.data.pictures.standard import decoded, located, standard
    from lt_core.data.pictures.verify import verify_set
    from lt_core.labels import counted

    source = standard(name)
    definition = decoded(located(name, source, data)) if source else known(name)
    wrong = verify_set(definition)
    for sentence in wrong[:_SHOWN]:
        print(sentence)
    more = f", of which {_SHOWN} are shown" if len(wrong) > _SHOWN else ""
    print(f"{name}: {counted(len(wrong), 'difference')}{more}" if wrong else f"{name}: every file is as it was")
    raise SystemExit(1 if wrong else 0)


@app.command("list", cls=Command)
def list_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="a standard set whose lists are made from annotations: inat2018")],
    annotations: Annotated[Path, typer.Option(metavar="FILE", help="annotations in COCO format, such as train2018.json")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE|DIR", help="the list to write, or its folder [default: the folder of the annotations]"),
    ] = None,
) -> None:
    """Write the list of a standard set from its annotations.

    It has one line `relative/path label` per picture, like the lists of ImageNet-LT.
    """
    from bench.cli.data_wording import labels_words
    from lt_core.data.pictures.lists import write_list

    print(labels_words("list", write_list(name, annotations, out)))
