"""The file formats of photos: one table, and the names and suffixes that follow from it.

A format is one module of this package, which reads and perhaps writes it, and one entry of
`FORMATS`. Nothing here imports a decoder: a format's module is imported when the first file of its
kind is read or written, so scanning folders and ``--help`` stay quick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from undark.errors import UsageError

if TYPE_CHECKING:
    from undark.io.formats.base import Decoded, Reader, Salvager, Writer
    from undark.photo import Photo

__all__ = [
    "FORMATS",
    "PHOTO_SUFFIXES",
    "RAW_SUFFIXES",
    "READABLE_SUFFIXES",
    "WRITABLE_FORMATS",
    "Format",
    "format_named",
    "is_readable_name",
    "result_format",
    "suffix_format",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One file format, and what a file of it can hold.

    Attributes:
        name: As Pillow spells it.
        module: Module of this package with its `read` and, where undark writes it, its `write`;
            see `undark.io.formats.base.Reader` and `Writer`.
        mime: Media type.
        suffixes: Of its files, lower case, separated by blanks; the first is for new files.
        starts: First bytes of its files, of which a ``?`` stands for any one.
        brands: Its brands in the file type box, for a format in an ISO base media file.
        depths: Bits of a sample that a Photo read from it can have; 32 is float.
        alpha: It can hold transparency.
        icc: It can hold a colour profile.
        exif: It can hold an EXIF block, or its tags.
        xmp: It can hold an XMP packet.
        cicp: It can hold code points of colours, and so HDR.
        appends: What phones append to a photo and it can hold, by the names in
            `undark.io.metadata.appended`.
        iptc: It can hold an IPTC block.
        texts: It can hold texts of any keyword.
        comment: It can hold a comment.
        max_side: Most pixels a side that can be written; None where files have no such limit.
        result: Format of a result that follows such a source; by default the same. A format that
            undark only reads names another.
    """

    name: str
    module: str
    mime: str
    suffixes: str
    starts: tuple[bytes, ...] = ()
    brands: tuple[bytes, ...] = ()
    depths: tuple[int, ...] = (8,)
    alpha: bool = True
    icc: bool = True
    exif: bool = True
    xmp: bool = True
    cicp: bool = False
    appends: tuple[str, ...] = ()
    iptc: bool = False
    texts: bool = False
    comment: bool = False
    max_side: int | None = None
    result: str = ""

    @property
    def suffix(self) -> str:
        """The suffix of a new file, with its dot."""
        return f".{self.suffixes.split()[0]}"

    @property
    def is_writable(self) -> bool:
        """Whether undark writes it."""
        return not self.result

    def begins(self, head: bytes) -> bool:
        """Whether a file whose first bytes are `head` begins as files of this format do."""
        return any(
            len(head) >= len(start)
            and all(wanted in (found, b"?"[0]) for wanted, found in zip(start, head, strict=False))
            for start in self.starts
        )

    def read(self, file: BinaryIO) -> Decoded:
        """Decode an open, seekable file; see `undark.io.formats.base.Reader`."""
        return cast("Reader", import_module(f"{__name__}.{self.module}")).read(file)

    def salvage(self, file: BinaryIO) -> Decoded | None:
        """Decode what is there of a damaged file; see `undark.io.formats.base.Salvager`.

        None where the format cannot be salvaged, or too little is there.
        """
        module = import_module(f"{__name__}.{self.module}")
        return cast("Salvager", module).salvage(file) if hasattr(module, "salvage") else None

    def write(self, photo: Photo, file: BinaryIO, quality: int | None) -> None:
        """Write to an empty, seekable, readable file; see `undark.io.formats.base.Writer`."""
        cast("Writer", import_module(f"{__name__}.{self.module}")).write(photo, file, quality)


_TABLE = (
    Format(
        name="JPEG",
        module="jpeg",
        mime="image/jpeg",
        suffixes="jpg jpeg jpe jfif mpo",
        starts=(b"\xff\xd8\xff",),
        alpha=False,
        iptc=True,
        comment=True,
        max_side=65500,
        appends=("gain map", "Apple gain map", "video"),
    ),
    Format(
        name="PNG",
        module="png",
        mime="image/png",
        suffixes="png apng",
        starts=(b"\x89PNG\r\n\x1a\n",),
        depths=(8, 16),
        cicp=True,
        iptc=True,
        texts=True,
        comment=True,
    ),
    Format(
        name="TIFF",
        module="tiff",
        mime="image/tiff",
        suffixes="tif tiff",
        starts=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        depths=(8, 16, 32),
        iptc=True,
    ),
    Format(
        name="WEBP",
        module="webp",
        mime="image/webp",
        suffixes="webp",
        starts=(b"RIFF????WEBP",),
        max_side=16383,
    ),
    Format(
        name="AVIF",
        module="avif",
        mime="image/avif",
        suffixes="avif",
        brands=(b"avif", b"avis"),
        depths=(8, 16),
        max_side=65536,
        cicp=True,
        appends=("video",),
    ),
    Format(
        name="HEIF",
        module="heif",
        mime="image/heif",
        suffixes="heic heif hif",
        brands=(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
        depths=(8, 16),
        max_side=65536,
        cicp=True,
        appends=("Apple gain map", "video"),
    ),
    Format(
        name="JXL",
        module="jxl",
        mime="image/jxl",
        suffixes="jxl",
        starts=(b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
        depths=(8, 16, 32),
    ),
    Format(
        name="BMP",
        module="bmp",
        mime="image/bmp",
        suffixes="bmp",
        starts=(b"BM",),
        icc=False,
        exif=False,
        xmp=False,
    ),
    Format(
        name="GIF",
        module="gif",
        mime="image/gif",
        suffixes="gif",
        starts=(b"GIF87a", b"GIF89a"),
        icc=False,
        exif=False,
        xmp=False,
        comment=True,
        result="PNG",
    ),
    Format(
        name="RAW",
        module="raw",
        mime="image/x-raw",
        suffixes=(
            "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2"
            " rwl sr2 srf srw x3f"
        ),
        starts=(
            *(b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0"),
            *(b"II\x1a\0\0\0HEAPCCDR", b"\0MRM", b"FOVb"),
        ),
        brands=(b"crx ",),
        depths=(16,),
        alpha=False,
        iptc=True,
        result="TIFF",
    ),
)

FORMATS: Final[Mapping[str, Format]] = {item.name: item for item in _TABLE}
"""Every format, by its name."""

WRITABLE_FORMATS: Final = tuple(item.name for item in _TABLE if item.is_writable)
"""Formats that can be written, as Pillow spells them."""

PHOTO_SUFFIXES: Final = {
    f".{suffix}": item.name
    for item in _TABLE
    if item.name != "RAW"
    for suffix in item.suffixes.split()
}
"""Suffix to format of everything but camera RAW."""

RAW_SUFFIXES: Final = frozenset(f".{suffix}" for suffix in FORMATS["RAW"].suffixes.split())
"""Suffixes of camera RAW files, read with the ``raw`` extra."""

READABLE_SUFFIXES: Final = frozenset(PHOTO_SUFFIXES) | RAW_SUFFIXES
"""Suffixes, lower case with their dot, of the files that a folder scan takes for photos."""


def is_readable_name(path: PurePath) -> bool:
    """Whether a folder scan takes `path` for a photo: a known suffix and not hidden."""
    return path.suffix.lower() in READABLE_SUFFIXES and not path.name.startswith(".")


def result_format(source: str | None) -> str:
    """The format of a result that follows a source of the format `source`; PNG where it has none.

    Camera RAW becomes TIFF, a GIF PNG.
    """
    found = FORMATS.get(source or "")
    return (found.result or found.name) if found else "PNG"


def suffix_format(path: PurePath) -> str | None:
    """The writable format that the suffix of `path` names, or None."""
    name = PHOTO_SUFFIXES.get(path.suffix.lower())
    return name if name in WRITABLE_FORMATS else None


def format_named(name: str) -> str:
    """The writable format that a user means by "jpg", ".tiff", "HEIC", ...

    Raises:
        UsageError: It is not one that undark writes.
    """
    written = name.strip().lower().lstrip(".")
    found = PHOTO_SUFFIXES.get(f".{written}")
    if found not in WRITABLE_FORMATS:
        known = ", ".join(FORMATS[item].suffix.lstrip(".") for item in WRITABLE_FORMATS)
        raise UsageError(f"{name!r} is not a format that undark writes; choose one of {known}")
    return found
