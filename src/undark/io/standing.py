"""What stands at a destination, and so what is to be done there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from undark.io.record import Record, find_record

__all__ = ["Standing", "standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands at a destination.

    Attributes:
        verdict: ``free``: nothing. ``same``: what is wanted. ``other``: something that undark
            made otherwise. ``mute``: what cannot carry a record. ``foreign``: what undark did
            not write.
        text: How it differs from what is wanted, or why nothing is known of it.
    """

    verdict: Literal["free", "same", "other", "mute", "foreign"]
    text: str = ""


def standing(
    destination: Path,
    wanted: Record,
    source: Callable[[], str],
    *,
    in_place: bool = False,
    mute: str = "",
    recording: bool = True,
) -> Standing:
    """What stands at `destination`; nothing is decoded.

    Args:
        destination: Where a result is to go.
        wanted: How, without its source.
        source: Gives the digest of the source's bytes; called only where it decides.
        in_place: The destination is the source, so that a result's own source is gone.
        mute: Why a result there can carry no record; empty where it can.
        recording: The result is to carry a record.
    """
    if not destination.exists() or destination.is_dir():
        return Standing("free")
    found = find_record(destination)
    if found is None:
        if in_place:
            return Standing("free")
        if mute or not recording:
            return Standing("mute", mute or "without a record, nobody knows how it was made")
        return Standing("foreign")
    differences = found.differences(wanted)
    if not recording:
        differences = (*differences, "it carries a record")
    if not differences and not in_place:
        differences = found.differences(replace(wanted, source=source()))
    return Standing("other", "; ".join(differences)) if differences else Standing("same")
