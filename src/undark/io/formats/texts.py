"""The texts of a PNG, and the EXIF, IPTC and XMP that older programs put into them.

Format: PNG specification, third edition (W3C, 2025), 11.3.3; the raw profiles are ImageMagick's.
"""

from __future__ import annotations

import zlib
from typing import Final

from undark.io.metadata.exif import bare_block
from undark.io.metadata.iptc import from_resources, to_resource
from undark.photo import Photo, Text

__all__ = ["TEXT_KINDS", "XMP_KEY", "Texts", "decoded_text", "text_chunks"]

TEXT_KINDS: Final = (b"tEXt", b"zTXt", b"iTXt")
"""Kinds of the chunks that hold texts."""

XMP_KEY: Final = b"XML:com.adobe.xmp"
"""Keyword of the text that is an XMP packet."""

_RAW: Final = b"raw profile type "
_XMP_PREFIX: Final = b"http://ns.adobe.com/xap/1.0/\0"
_MAX_KEY: Final = 79
_MAX_TEXT: Final = 1 << 26
_LINE: Final = 72


def decoded_text(data: bytes) -> str:
    """A text that is UTF-8 or, where it is not, Latin-1."""
    try:
        return data.decode("utf-8").rstrip("\0")
    except UnicodeDecodeError:
        return data.decode("latin-1").rstrip("\0")


class Texts:
    """What the text chunks of one file hold, gathered one after the other.

    Attributes:
        exif: EXIF block in a raw profile.
        iptc: IPTC block in a raw profile.
        xmp: XMP packet.
        texts: All others.
        are_packed: Some are compressed.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.exif: bytes | None = None
        self.iptc: bytes | None = None
        self.xmp: bytes | None = None
        self.texts: list[Text] = []
        self.are_packed: bool = False
        self._old_xmp: bytes | None = None
        self._budget = _MAX_TEXT

    def take(self, kind: bytes, data: bytes) -> None:
        """Take a chunk; one that is no sound text is left out."""
        key, mark, rest = data.partition(b"\0")
        if not mark or not 0 < len(key) <= _MAX_KEY:
            return
        packed = kind == b"zTXt" or (kind == b"iTXt" and rest[:1] == b"\1")
        self.are_packed |= packed
        if kind == b"zTXt":
            rest = rest[1:]
        elif kind == b"iTXt":
            parts = rest[2:].split(b"\0", 2)
            if len(parts) < 3:
                return
            rest = parts[2]
        try:
            text = self._inflated(rest) if packed else rest
        except zlib.error:
            return
        if key == XMP_KEY:
            self.xmp = text
        elif not (key.lower().startswith(_RAW) and self._profile(key[len(_RAW) :].lower(), text)):
            name = key.decode("latin-1")
            self.texts.append(Text(name, decoded_text(text), kind.decode(), data))

    def close(self) -> None:
        """Let what stands in a raw profile count where there is nothing better."""
        self.xmp = self.xmp or self._old_xmp

    def _inflated(self, data: bytes) -> bytes:
        """The text, or nothing where it is longer than what all may have together."""
        packer = zlib.decompressobj()
        text = packer.decompress(data, self._budget) if self._budget else b""
        if packer.unconsumed_tail:
            return b""
        self._budget -= len(text)
        return text

    def _profile(self, name: bytes, text: bytes) -> bool:
        """Take a raw profile; False where it is of no known kind."""
        if name not in (b"exif", b"app1", b"iptc", b"8bim", b"xmp", b"icc", b"icm"):
            return False
        data = _unhexed(text)
        if name in (b"iptc", b"8bim"):
            self.iptc = self.iptc or from_resources(data)
        elif name == b"xmp" or data.startswith(_XMP_PREFIX):
            self._old_xmp = data.removeprefix(_XMP_PREFIX) or None
        elif name in (b"exif", b"app1"):
            self.exif = bare_block(data) or self.exif
        return True


def _unhexed(text: bytes) -> bytes:
    """What a raw profile holds: after a line with its name and one with its length, hexadecimal.

    What makes no sense ends it.
    """
    lines = text.strip().split(b"\n")[2:]
    digits = b"".join(b"".join(lines).split())
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return b""


def text_chunks(photo: Photo) -> list[tuple[bytes, bytes]]:
    """Kinds and contents of the chunks for a photo's texts and its IPTC block."""
    chunks = [_chunk_of(text) for text in photo.texts]
    if photo.iptc:
        resource = to_resource(photo.iptc)
        digits = resource.hex()
        lines = "\n".join(digits[at : at + _LINE] for at in range(0, len(digits), _LINE))
        content = f"\niptc\n{len(resource):8d}\n{lines}\n".encode()
        chunks.append((b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(content)))
    return chunks


def _chunk_of(text: Text) -> tuple[bytes, bytes]:
    if text.kind.encode() in TEXT_KINDS:
        return text.kind.encode(), text.data
    key = text.keyword.encode("latin-1", "replace").replace(b"\0", b"")[:_MAX_KEY].strip()
    content = text.text.replace("\0", "")
    key = key or b"Comment"
    if content.isascii():
        return b"tEXt", key + b"\0" + content.encode()
    return b"iTXt", key + b"\0\0\0\0\0" + content.encode("utf-8", "replace")
