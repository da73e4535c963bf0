"""`undark share`: before and after as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from undark.cli.options import Debug, Overwrite
from undark.cli.shell import FAILED, command, result, say
from undark.errors import InputError, OutputError

__all__ = ["share"]


@command
def share(
    photos: Annotated[
        list[Path],
        typer.Argument(
            metavar="PHOTO",
            help="Before and after; or results of undark's, or folders of them, whose sources are"
            " found.",
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PAGE",
            help="The HTML file [default: beside the first result, as NAME.html].",
        ),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option("--title", metavar="TEXT", help="The page's heading [default: its name]."),
    ] = None,
    max_side: Annotated[
        int,
        typer.Option("--max-side", min=64, max=16383, metavar="N", help="Longest side in pixels."),
    ] = 2048,
    sources: Annotated[
        list[Path] | None,
        typer.Option(
            "--sources", metavar="DIR", help="Where sources are [default: beside their results]."
        ),
    ] = None,
    exif: Annotated[
        bool, typer.Option("--exif", help="Keep the photos' EXIF, the place included.")
    ] = False,
    overwrite: Overwrite = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Show photos before and after in one HTML file that opens offline."""
    from undark.io.walk import OUTPUT_MARK
    from undark.share import Comparison, Sources, named, write_page

    found = named(photos)
    page = output or _page_for(photos, found[0].after)
    if page.exists() and not overwrite:
        raise OutputError(f"{page}: already exists", argument="overwrite")
    known = Sources(sources or ())
    pairs: list[Comparison] = []
    lost: list[InputError] = []
    for item in found:
        try:
            pairs.append(Comparison(item.before or known.of(item.after), item.after))
        except InputError as error:
            lost.append(error)
    if not pairs:
        raise lost[0]
    for error in lost:
        say(f"{error} (left out)")
    write_page(
        pairs,
        page,
        title=page.stem.removesuffix(OUTPUT_MARK) if title is None else title,
        max_side=max_side,
        exif=exif,
        overwrite=overwrite,
    )
    result(str(page))
    if lost:
        raise typer.Exit(FAILED)


def _page_for(photos: list[Path], after: Path) -> Path:
    """Where the page goes: in a folder it has the folder's name, beside a photo the photo's."""
    folder = photos[0]
    return (
        folder / f"{folder.resolve().name}.html" if folder.is_dir() else after.with_suffix(".html")
    )
