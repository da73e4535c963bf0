"""`undark data`: what a folder of pairs holds, before anything learns from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from undark.cli.options import Ab, Debug, Json
from undark.cli.progress import progress_bar
from undark.cli.shell import command, result, result_json, say
from undark.io.names import counted

if TYPE_CHECKING:
    from undark.evaluate.dataset import DatasetFindings
    from undark.io.halves import DarkHalf

__all__ = ["data"]

_NAMED = 5


@command
def data(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of pairs.")],
    *,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", metavar="DIR", help="Pairs to measure on, which must not show the same."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE.html", help="Write a page with pictures here."),
    ] = None,
    dark_half: Ab = "guess",
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Look at pairs: sizes, levels, what is misaligned, doubled or left out."""
    from undark.evaluate.dataset import look_at

    with progress_bar() as show:
        found = look_at(
            folder,
            against=against,
            dark_half=cast("DarkHalf", dark_half),
            progress=lambda done, count: show(done, count, "looking at pairs"),
        )
    if as_json:
        result_json(found.summary(), indent=2)
    else:
        _tell(found)
    if report is not None:
        from undark.evaluate.report.dataset import dataset_page
        from undark.io.atomic import write_atomically

        write_atomically(report, dataset_page(found).encode())
        say(f"wrote {report}")


def _tell(found: DatasetFindings) -> None:
    """The findings on stdout; of many pairs of a kind the first few."""
    for line in found.found.explain(found.folder):
        result(line)
    facts = found.summary()
    sizes: list[str] = facts["sizes"]
    result(f"{counted(facts['pairs'], 'usable pair')} of {counted(facts['scenes'], 'scene')}")
    result(f"sizes: {', '.join(sizes[:_NAMED])}{' and others' if len(sizes) > _NAMED else ''}")
    if found.facts:
        low, high = facts["mean_level_low"], facts["mean_level_high"]
        result(f"mean level: {low:.3f} dark, {high:.3f} truth (white is 1)")
    if (warning := found.swapped) is not None:
        result(warning)
    kinds = {
        "cannot be used": [f"{name} ({reason})" for name, reason in found.unusable],
        "have no partner": [str(path) for path in found.found.unmatched],
        "do not lie over each other": [
            f"{item.name} (by {item.shift[0]:+g}, {item.shift[1]:+g} pixels)"
            for item in found.misaligned
        ],
        "are nearly the same twice": [
            f"{item.first} and {item.second}" for item in found.duplicates
        ],
        "look alike but are of different scenes": [
            f"{item.first} and {item.second}" for item in found.leaks
        ],
        "are in the other folder too": [f"{item.first} and {item.second}" for item in found.shared],
    }
    for kind, names in kinds.items():
        if names:
            rest = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            result(f"{len(names)} {kind}: {', '.join(names[:_NAMED])}{rest}")
