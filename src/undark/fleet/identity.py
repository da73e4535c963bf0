"""What makes two results one: the source's bytes and the recipe."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from typing import Any, Final

from undark.adjust import CONTROLS, Adjust
from undark.errors import UsageError
from undark.io.formats import (
    FORMATS,
    PHOTO_SUFFIXES,
    RAW_SUFFIXES,
    is_readable_name,
    result_format,
    suffix_format,
)
from undark.io.record import Record, this_version
from undark.io.video.containers import READ_ONLY_VIDEOS, is_video_name

__all__ = ["METRICS", "PHOTOS", "Recipe", "is_taken", "result_name"]

PHOTOS: Final = "photos"
"""The task whose results are photos and videos."""

METRICS: Final = "metrics"
"""The task whose results are measurements of what the model makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that a result's bytes depend on, but its source.

    Attributes:
        task: `PHOTOS` or `METRICS`.
        version: Of undark.
        model: Name on the card of the model for photos.
        sha256: Of its weights.
        clips: Name on the card of the model for videos.
        clips_sha256: Of its weights.
        adjust: What is asked of the results.
        runtime: What computes, resolved once: never ``auto``.
        device: Likewise.
        precision: ``exact``.
        format: To write, as Pillow spells it; None for each photo's own.
        quality: 1 to 100; None for the writer's choice.
        video_quality: ``fast``, ``balanced`` or ``best``.
        codec: Of videos; None for what suits the file. So are the next two.
        crf: Their constant quality.
        preset: Their encoder's effort.
        sdr: Bring their HDR within the range of SDR.
        strip: What is left out of the metadata.
        salvage: Take what is there of damaged photos.
    """

    task: str = PHOTOS
    version: str = field(default_factory=this_version)
    model: str
    sha256: str
    clips: str
    clips_sha256: str
    adjust: Adjust = field(default_factory=Adjust)
    runtime: str
    device: str = "cpu"
    precision: str = "exact"
    format: str | None = None
    quality: int | None = None
    video_quality: str = "balanced"
    codec: str | None = None
    crf: int | None = None
    preset: str | None = None
    sdr: bool = False
    strip: str | None = None
    salvage: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The recipe as JSON has it."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        found["adjust"] = {name: float(getattr(self.adjust, name)) for name in CONTROLS}
        return found

    @classmethod
    def of(cls, content: dict[str, Any]) -> Recipe:
        """The recipe that `as_dict` gave.

        Raises:
            UsageError: It is of another version of undark, whose results are others.
        """
        try:
            values: dict[str, Any] = {**content, "adjust": Adjust(**content["adjust"])}
            return cls(**values)
        except (TypeError, KeyError) as error:
            raise UsageError(
                f"the plan's run is of undark {content.get('version')}, which this one does not"
                " know; go on with that version, or plan again"
            ) from error

    @property
    def digest(self) -> str:
        """The sha256 of the recipe's one canonical form, in hex."""
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def identity(self, source: str, name: str) -> str:
        """What a result is known by, in hex.

        Args:
            source: The sha256 of the source's bytes.
            name: The result's; its suffix decides the format.
        """
        suffix = PurePosixPath(name).suffix.lower()
        kind = self.format or suffix_format(PurePosixPath(name)) or suffix
        return hashlib.sha256(f"{source} {self.digest} {kind}".encode()).hexdigest()

    def wanted(self) -> Record:
        """How the result of a photo is wanted, to be compared with what is there."""
        return Record(
            version=self.version,
            model=self.model,
            sha256=self.sha256,
            adjust=self.adjust,
            runtime=self.runtime,
            precision=self.precision,
            quality=self.quality,
            strip=self.strip or "",
        )


def is_taken(name: str) -> bool:
    """Whether a listing takes this name for a photo's or a video's."""
    path = PurePosixPath(name)
    return not path.name.startswith(".") and (is_readable_name(path) or is_video_name(path))


def result_name(name: str, kind: str | None) -> str:
    """Where the result of a source goes.

    It keeps the source's name where that fits the format. Where not, the right suffix is added and
    none is taken away: ``night.dng.tif``. So no two sources meet.

    Args:
        name: The source's, relative, with slashes.
        kind: Format to write; None for the source's own.
    """
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if is_video_name(path):
        return f"{name}.mkv" if suffix in READ_ONLY_VIDEOS else name
    own = suffix_format(path)
    if own is not None and suffix != ".mpo" and kind in (None, own):
        return name
    known = PHOTO_SUFFIXES.get(suffix) or ("RAW" if suffix in RAW_SUFFIXES else None)
    return name + FORMATS[kind or result_format(known)].suffix
