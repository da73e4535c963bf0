"""The record of how a result was made: kept in the result, read from it, compared.

It lies in the result's XMP, under a namespace of undark's own, and holds no time, no host and no
path: the same photo made in the same way is the same file, whoever makes it.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import mmap
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

from undark.adjust import CONTROLS, Adjust
from undark.errors import UsageError
from undark.io.formats.segments import MAX_EXIF
from undark.io.metadata.software import with_software
from undark.io.metadata.xmp import properties, with_properties, without_properties
from undark.photo import Photo

__all__ = [
    "NAMESPACE",
    "Record",
    "file_digest",
    "find_record",
    "read_recipe",
    "record_of",
    "this_version",
    "with_record",
    "without_record",
]

NAMESPACE: Final = "urn:undark:record:1.0:"
"""URI of the XMP namespace of records."""

_PREFIX: Final = "undark"
_SCHEMA: Final = 1
_MAX_PACKET: Final = 1 << 24
_MAX_RECIPE: Final = 1 << 20
_SHA256: Final = re.compile(r"(?:[0-9a-f]{64})?", re.ASCII)


@cache
def this_version() -> str:
    """The version of undark that runs."""
    return version("undark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How a result was made, or how one is wanted.

    Attributes:
        version: Of undark.
        model: Name on the model's card; ``steps`` for an edit in given steps.
        sha256: Hex digest of the model's file, or of the steps.
        adjust: What was asked of the result.
        runtime: What ran the model; where a result is wanted, empty for any.
        precision: ``exact`` (float32) or ``fast``; where a result is wanted, empty for any, and
            ``fast`` for that or better.
        quality: That was asked for, 1 to 100; None where it followed from the source.
        strip: What was left out of the metadata: ``gps``, or nothing; see `undark.io.strip`.
        source: Hex digest (sha256) of the source's bytes; where a result is wanted, empty for any.
    """

    version: str = field(default_factory=this_version)
    model: str
    sha256: str
    adjust: Adjust = field(default_factory=Adjust)
    runtime: str = ""
    precision: str = ""
    quality: int | None = None
    strip: str = ""
    source: str = ""

    def canonical(self, *, source: bool = True) -> bytes:
        """The record as JSON in one form only: ASCII, keys sorted, no blanks.

        Args:
            source: With the source's digest; without it, this is the recipe alone.
        """
        content = self.as_dict()
        if not source:
            del content["source"]
        return json.dumps(
            content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
        ).encode("ascii")

    @property
    def digest(self) -> str:
        """The recipe's identity: sha256 of the canonical record without the source, in hex."""
        return hashlib.sha256(self.canonical(source=False)).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON has it."""
        return {
            "schema": _SCHEMA,
            "undark": self.version,
            "model": {"name": self.model, "sha256": self.sha256.lower()},
            "adjust": {name: float(getattr(self.adjust, name)) for name in CONTROLS},
            "runtime": self.runtime,
            "precision": self.precision,
            "quality": self.quality,
            "strip": self.strip or None,
            "source": self.source,
        }

    @classmethod
    def from_dict(cls, values: object) -> Record:
        """The record of what `as_dict` gave, as JSON that was read.

        All but ``schema`` and ``model`` may be left out: a control is then neutral, the rest open.
        ``digest``, which `undark show --json` adds, is not compared, so that values can be edited.

        Raises:
            UsageError: It is of another schema, lacks a key, has one that is unknown, or a value of
                the wrong type or out of range.
        """
        found = _table(values, "the recipe", (*_OPTIONAL, "schema", "model"), ("schema", "model"))
        if type(found["schema"]) is not int or found["schema"] != _SCHEMA:
            raise UsageError(
                f"schema must be {_SCHEMA}, not {_shown(found['schema'])}; this undark is"
                f" {this_version()}"
            )
        model = _table(found["model"], "model", ("name", "sha256"), ("name", "sha256"))
        numbers = _table(found.get("adjust", {}), "adjust", tuple(CONTROLS))
        quality, strip = found.get("quality"), found.get("strip")
        if quality is not None and (type(quality) is not int or not 1 <= quality <= 100):
            raise UsageError(f"quality must be null or from 1 to 100, not {_shown(quality)}")
        if strip not in (None, "gps", "all"):
            raise UsageError(f'strip must be null, "gps" or "all", not {_shown(strip)}')
        _digest_in(found, "digest")
        return cls(
            version=_text_in(found, "undark"),
            model=_text_in(model, "name"),
            sha256=_digest_in(model, "sha256"),
            adjust=Adjust(**{name: _number(name, value) for name, value in numbers.items()}),
            runtime=_text_in(found, "runtime"),
            precision=_text_in(found, "precision"),
            quality=quality,
            strip=strip or "",
            source=_digest_in(found, "source"),
        )

    def differences(self, wanted: Record) -> tuple[str, ...]:
        """In what this record is not as wanted, in words; nothing where it is."""
        pairs = [
            ("undark", self.version, wanted.version),
            ("model", self.model, wanted.model),
            *(
                (name, f"{getattr(self.adjust, name):g}", f"{getattr(wanted.adjust, name):g}")
                for name in CONTROLS
            ),
            ("quality", *(str(item.quality or "as the photo's") for item in (self, wanted))),
            ("left out", *(item.strip or "nothing" for item in (self, wanted))),
        ]
        if wanted.runtime:
            pairs.append(("runtime", self.runtime, wanted.runtime))
        if wanted.precision == "exact":
            pairs.append(("precision", self.precision, wanted.precision))
        found = [f"{name} {old or 'unknown'}, now {new}" for name, old, new in pairs if old != new]
        if self.model == wanted.model and self.sha256.lower() != wanted.sha256.lower():
            found.append(f"other weights of {self.model}")
        if wanted.source and self.source != wanted.source:
            found.append("the source has changed")
        # What is closer than it reads in words.
        if not found and self.adjust != wanted.adjust:
            found.append("slightly other values")
        return tuple(found)

    def values(self) -> dict[str, str]:
        """The record as simple XMP properties."""
        return {
            "Version": self.version,
            "Model": self.model,
            "ModelSHA256": self.sha256.lower(),
            **{name.capitalize(): repr(float(getattr(self.adjust, name))) for name in CONTROLS},
            "Runtime": self.runtime,
            "Precision": self.precision,
            **({} if self.quality is None else {"Quality": str(self.quality)}),
            **({"Strip": self.strip} if self.strip else {}),
            "SourceSHA256": self.source,
        }

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Record:
        """The record of XMP properties; of one that is damaged, what can be read.

        A record without the model's digest is like no wanted one.
        """
        sha256 = values.get("ModelSHA256", "")
        quality = None
        adjust = Adjust()
        try:
            numbers = {name: values.get(name.capitalize()) for name in CONTROLS}
            adjust = Adjust(**{name: float(text) for name, text in numbers.items() if text})
            quality = int(values["Quality"]) if "Quality" in values else None
        except (UsageError, ValueError):
            sha256 = ""
        return cls(
            version=values.get("Version", ""),
            model=values.get("Model", ""),
            sha256=sha256,
            adjust=adjust,
            runtime=values.get("Runtime", ""),
            precision=values.get("Precision", ""),
            quality=quality,
            strip=values.get("Strip", ""),
            source=values.get("SourceSHA256", ""),
        )


_OPTIONAL: Final = (
    "undark", "adjust", "runtime", "precision", "quality", "strip", "source", "digest"
)  # fmt: skip


def _table(
    values: object, what: str, known: Collection[str], needed: Collection[str] = ()
) -> dict[str, Any]:
    """A JSON object with these keys and no others."""
    if not isinstance(values, Mapping):
        raise UsageError(f"{what} must be an object, not {_shown(values)}")
    found = dict(cast("Mapping[str, Any]", values))
    for key in found:
        if key not in known:
            raise UsageError(f"{what} has an unknown key {_shown(key)}")
    for key in needed:
        if key not in found:
            raise UsageError(f"{what} lacks the key {_shown(key)}")
    return found


def _text_in(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key, "")
    if not isinstance(value, str):
        raise UsageError(f"{key} must be a text, not {_shown(value)}")
    return value


def _digest_in(values: Mapping[str, Any], key: str) -> str:
    value = _text_in(values, key).lower()
    if not _SHA256.fullmatch(value):
        raise UsageError(f"{key} must be 64 hexadecimal digits, not {_shown(value)}")
    return value


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{name} must be a number, not {_shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise UsageError(f"{name} must be a number, not one of so many digits") from None


def _shown(value: object) -> str:
    """A value for a message of one line: as JSON has it, and not at length."""
    text = json.dumps(value, default=lambda _: "something else")
    return text if len(text) <= 40 else f"{text[:37]}..."


def with_record(photo: Photo, record: Record, kind: str) -> Photo:
    """The photo as it is to be written: with the record in its XMP, and undark in its EXIF.

    A record that the photo has already gives way. EXIF's Software is kept where there is one.

    Args:
        photo: The result.
        record: How it was made.
        kind: Format that it is written in. Where a JPEG's segment holds the photo's own EXIF
            and would not hold it with what comes here, that stays as it is.
    """
    xmp = with_properties(
        without_properties(photo.xmp, NAMESPACE), NAMESPACE, _PREFIX, record.values()
    )
    exif = with_software(photo.exif, f"undark {record.version}")
    if kind == "JPEG" and len(exif) > MAX_EXIF >= len(photo.exif or b""):
        exif = photo.exif
    return replace(photo, xmp=xmp, exif=exif)


def without_record(photo: Photo) -> Photo:
    """The photo without the record that its source may have carried."""
    return replace(photo, xmp=without_properties(photo.xmp, NAMESPACE))


def find_record(path: Path) -> Record | None:
    """The record in a file of any format; None where there is none, or the file cannot be read.

    The packet is looked for in the file's bytes (XMP specification part 3, "packet scanning"):
    nothing is decoded.
    """
    if not path.is_file():
        return None
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            at = data.find(NAMESPACE.encode())
            start = data.rfind(b"<rdf:RDF", max(0, at - _MAX_PACKET), at) if at >= 0 else -1
            end = data.find(b"</rdf:RDF>", at, at + _MAX_PACKET) if start >= 0 else -1
            packet = data[start : end + len(b"</rdf:RDF>")] if end >= 0 else None
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None
    return record_of(packet)


def read_recipe(path: Path) -> Record | None:
    """The record in a result of undark's, or in a recipe file: JSON as `Record.as_dict` gives it.

    Returns:
        None where `path` is another file, which has no record.

    Raises:
        UsageError: It cannot be read, or is JSON that is no recipe; the message names `path`.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_MAX_RECIPE + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not start.removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"{", b"[")):
        return find_record(path)
    if len(start) > _MAX_RECIPE:
        raise UsageError(f"{path}: is no recipe: it is larger than a mebibyte")
    try:
        return Record.from_dict(json.loads(start.decode("utf-8-sig")))
    except UsageError as error:
        raise UsageError(f"{path}: is no recipe: {error}") from None
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: is no recipe: it is no JSON ({reason})") from None


def record_of(packet: bytes | None) -> Record | None:
    """The record in an XMP packet, or None."""
    values = properties(packet, NAMESPACE)
    return Record.of(values) if values else None


def file_digest(path: Path) -> str:
    """The sha256 of a file's bytes, in hex; of a file that has not changed, kept.

    Raises:
        OSError: It cannot be read.
    """
    found = path.stat()
    return _digest(path, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=1 << 14)
def _digest(path: Path, _number: int, _size: int, _time: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
