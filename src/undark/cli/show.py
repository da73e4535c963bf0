"""`undark show`: how a result was made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from undark.adjust import CONTROLS
from undark.cli.options import Debug, Json
from undark.cli.shell import command, result, result_json
from undark.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from undark.io.record import Record

__all__ = ["show"]


@command
def show(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo that undark wrote.")],
    *,
    as_json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by @command
) -> None:
    """Show how a result was made, as its record says."""
    from undark.io.record import find_record

    if not photo.is_file():
        told = "is no file" if photo.exists() else "there is no such file"
        raise UsageError(f"{photo}: {told}")
    record = find_record(photo)
    if record is None:
        raise UnsupportedError(
            f"{photo}: has no record of how it was made: undark did not write it, or was asked to"
            " leave the record out"
        )
    if as_json:
        result_json({**record.as_dict(), "digest": record.digest}, indent=2)
        return
    for name, value in _described(record):
        result(f"{name:<11} {value}")


def _described(record: Record) -> list[tuple[str, str]]:
    asked = [
        f"{name} {getattr(record.adjust, name):g}{f' {item.unit}' if item.unit else ''}"
        for name, item in CONTROLS.items()
    ]
    precision = f", {record.precision}" if record.precision else ""
    return [
        ("made by", f"undark {record.version or 'of an unknown version'}"),
        ("model", record.model or "unknown"),
        ("its sha256", record.sha256 or "unknown"),
        ("asked for", ", ".join(asked)),
        ("run by", f"{record.runtime or 'unknown'}{precision}"),
        ("left out", record.strip or "nothing"),
        ("quality", "as the photo's" if record.quality is None else str(record.quality)),
        ("source", f"sha256 {record.source or 'unknown'}"),
        ("recipe", f"sha256 {record.digest}"),
    ]
