"""What of a photo survives in each format, measured by writing it and reading it again.

    python benchmarks/formats.py            # the table of docs/formats.md
    python benchmarks/formats.py --times    # CPU seconds to write 0.75 megapixels, and their size

Everything goes through the public functions `read_photo` and `encode_photo`.
"""

from __future__ import annotations

import argparse
import io
import struct
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import process_time

import cv2
import numpy as np
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from undark.errors import UndarkError
from undark.io.formats import FORMATS, WRITABLE_FORMATS
from undark.io.photo import encode_photo, read_photo
from undark.io.record import Record, record_of, with_record
from undark.io.video.animation import ANIMATIONS, Animation, read_animation
from undark.photo import Appended, Encoding, Photo

YES, NO = "yes", "–"
ROWS, COLUMNS = np.mgrid[0:48, 0:64]
RAMP = np.stack([COLUMNS / 64, ROWS / 48, (ROWS + COLUMNS) / 112], axis=2)
EIGHT = (RAMP * 255).astype(np.uint8)
VIDEO = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\0\0\0\x08free" * 40
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Label="Nacht"'
    ' xmlns:GCamera="http://ns.google.com/photos/1.0/camera/"'
    ' xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
    ' xmlns:Container="http://ns.google.com/photos/1.0/container/"'
    ' xmlns:Item="http://ns.google.com/photos/1.0/container/item/"'
    " {}>{}</rdf:Description></rdf:RDF></x:xmpmeta>"
)
EXIF = Image.Exif()
EXIF[0x010F] = "Maker"
EXIF.get_ifd(0x8769).update({0x927C: b"MAKER-NOTE", 0xA434: "35mm f2"})
EXIF.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 1.0)})


def again(photo: Photo, kind: str) -> Photo:
    """The photo after it was written in a format and read."""
    return read_photo(encode_photo(photo, format=FORMATS[kind].suffix))


def stored_bits(samples: np.ndarray) -> int:
    """The least bits a sample that these samples can have had in the file."""
    if samples.dtype == np.float32:
        return 32
    for bits in (8, 10, 12) if samples.dtype == np.uint16 else (8,):
        shift = 16 - bits
        short = samples >> shift << shift
        if samples.dtype == np.uint8 or np.array_equal(samples, short | short >> bits):
            return bits
    return 16


def depth(kind: str) -> str:
    found: list[str] = []
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535), (np.float32, 1)):
        back = again(Photo((RAMP * top).astype(dtype)), kind)
        bits = stored_bits(back.pixels)
        found.append("float" if bits == 32 else str(bits))
    return ", ".join(dict.fromkeys(found))


def loss(kind: str) -> str:
    back = again(Photo(EIGHT, format=kind), kind)
    if np.array_equal(back.pixels, EIGHT):
        return "none"
    kept = again(Photo(EIGHT, encoding=Encoding(lossless=True)), kind)
    return "none if the source has none" if np.array_equal(kept.pixels, EIGHT) else YES


def gray(kind: str) -> str:
    photo = Photo(np.repeat(EIGHT[..., 2:], 3, axis=2), gray=True)
    return YES if again(photo, kind).gray else "as RGB"


def alpha(kind: str) -> str:
    try:
        back = again(Photo(EIGHT, alpha=EIGHT[..., 0].copy()), kind)
    except UndarkError:
        return "refused"
    if back.alpha is None:
        return NO
    worst = int(np.abs(back.alpha.astype(int) - EIGHT[..., 0]).max())
    return YES if worst == 0 else f"within {worst} of 255"


def icc(kind: str) -> str:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace(b"sRGB built-in", b"sRGB of ours ")
    return YES if again(Photo(EIGHT, icc=profile), kind).icc == profile else NO


def _with_code_points(primaries: int, transfer: int) -> Photo:
    """A 16-bit PNG whose colours are named by a cICP chunk, as it is read."""
    plain = encode_photo(Photo((RAMP * 65535).astype(np.uint16)), format="png")
    body = b"cICP" + bytes([primaries, transfer, 0, 1])
    chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
    return read_photo(plain[:33] + chunk + plain[33:])


def code_points(kind: str) -> str:
    back = again(_with_code_points(12, 13), kind)
    found = back.cicp
    if found is not None and (found.primaries, found.transfer) == (12, 13):
        return YES
    return "as ICC" if back.icc else NO


def hdr(kind: str) -> str:
    photo = _with_code_points(9, 16)
    back = again(photo, kind)
    found = back.cicp
    if found is None or found.transfer != 16:
        return NO
    return f"{stored_bits(back.pixels)} bits"


def exif(kind: str) -> str:
    block = EXIF.tobytes().removeprefix(b"Exif\0\0")
    back = again(Photo(EIGHT, exif=block), kind)
    found = Image.Exif()
    if back.exif:
        found.load(b"Exif\0\0" + back.exif)
    details, place = found.get_ifd(0x8769), found.get_ifd(0x8825)
    whole = details.get(0x927C) == b"MAKER-NOTE" and details.get(0xA434) == "35mm f2"
    return YES if whole and found.get(0x010F) == "Maker" and place.get(1) == "N" else NO


def xmp(kind: str) -> str:
    back = again(Photo(EIGHT, xmp=XMP.format("", "").encode()), kind)
    return YES if back.xmp and b"Nacht" in back.xmp else NO


def _jpeg(*segments: tuple[int, bytes], attributes: str = "", body: str = "") -> bytes:
    buffer = io.BytesIO()
    packet = XMP.format(attributes, body).encode()
    Image.fromarray(EIGHT).save(buffer, "JPEG", quality=95, xmp=packet)
    extra = b"".join(
        b"\xff" + bytes([mark]) + struct.pack(">H", len(data) + 2) + data for mark, data in segments
    )
    return buffer.getvalue()[:2] + extra + buffer.getvalue()[2:]


def iptc(kind: str) -> str:
    fields = ((25, b"night"), (120, b"A caption"))
    data = b"".join(b"\x1c\x02" + struct.pack(">BH", n, len(v)) + v for n, v in fields)
    data += b"\0" * (len(data) % 2)
    block = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data
    back = again(read_photo(_jpeg((0xED, block))), kind)
    return YES if b"A caption" in (back.iptc or b"") else _in_xmp(back, b"A caption")


def _in_xmp(photo: Photo, words: bytes) -> str:
    return "into XMP" if photo.xmp and words in photo.xmp else NO


def comments(kind: str) -> str:
    back = again(read_photo(_jpeg((0xFE, b"Seen at night"))), kind)
    return YES if "Seen at night" in str(back.texts) else _in_xmp(back, b"Seen at night")


def texts(kind: str) -> str:
    """A PNG's text with a keyword that XMP has a place for, and one with another."""
    buffer, info = io.BytesIO(), PngInfo()
    info.add_text("Title", "At the pier")
    info.add_text("prompt", '{"steps": 20}')
    Image.fromarray(EIGHT).save(buffer, "PNG", pnginfo=info)
    back = again(read_photo(buffer.getvalue()), kind)
    if {"Title", "prompt"} <= {text.keyword for text in back.texts}:
        return YES
    held = _in_xmp(back, b"At the pier")
    return held if held == NO else f"the usual ones {held}"


def _item(semantic: str, mime: str, size: int) -> str:
    return (
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="{semantic}"'
        f' Item:Mime="{mime}" Item:Length="{size}" Item:Padding="0"/></rdf:li>'
    )


def _directory(second: str) -> str:
    items = _item("Primary", "image/jpeg", 0) + second
    return f"<Container:Directory><rdf:Seq>{items}</rdf:Seq></Container:Directory>"


def gain_map(kind: str) -> str:
    buffer = io.BytesIO()
    packet = XMP.format('hdrgm:Version="1.0" hdrgm:GainMapMax="2"', "").encode()
    Image.fromarray(EIGHT[..., 0]).save(buffer, "JPEG", xmp=packet)
    listed = _directory(_item("GainMap", "image/jpeg", len(buffer.getvalue())))
    photo = _jpeg(attributes='hdrgm:Version="1.0"', body=listed) + buffer.getvalue()
    appended = again(read_photo(photo), kind).appended
    return YES if appended is not None and appended.gain_map else NO


def apple_map(kind: str) -> str:
    buffer = io.BytesIO()
    about = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/"'
        ' apdi:AuxiliaryImageType="urn:com:apple:photo:2020:aux:hdrgainmap"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    Image.fromarray(EIGHT[..., 0]).save(buffer, "JPEG", xmp=about.encode())
    photo = Photo(EIGHT, appended=Appended(buffer.getvalue()))
    appended = again(photo, kind).appended
    return YES if appended is not None and appended.gain_map else NO


def recorded(kind: str) -> str:
    record = Record(model="curve", sha256="0" * 64)
    back = again(with_record(Photo(EIGHT), record, kind), kind)
    return YES if record_of(back.xmp) == record else NO


def motion(kind: str) -> str:
    listed = _directory(_item("MotionPhoto", "video/mp4", len(VIDEO)))
    versions = 'GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"'
    photo = read_photo(_jpeg(attributes=versions, body=listed) + VIDEO)
    return YES if VIDEO in encode_photo(photo, format=FORMATS[kind].suffix) else NO


def resolution(kind: str) -> str:
    back = again(Photo(EIGHT, encoding=Encoding(dpi=(300.0, 200.0))), kind)
    found = back.encoding.dpi
    return YES if found is not None and np.allclose(found, (300, 200), atol=0.5) else NO


def orientation(kind: str) -> str:
    turned = Image.Exif()
    turned[0x0112] = 6
    photo = Photo(EIGHT, exif=turned.tobytes().removeprefix(b"Exif\0\0"))
    if not FORMATS[kind].exif:
        return NO
    buffer = io.BytesIO()
    with suppress(KeyError):
        Image.fromarray(EIGHT).save(buffer, kind, exif=turned.tobytes())
    back = read_photo(buffer.getvalue() or encode_photo(photo, format=FORMATS[kind].suffix))
    return "applied" if (back.width, back.height) == (48, 64) else "in its own header"


def animation(kind: str) -> str:
    suffix = FORMATS[kind].suffix
    if suffix not in ANIMATIONS:
        return NO
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{suffix}"
        made = Animation(path)
        for number, seconds in enumerate((0.05, 0.12, 0.33)):
            made.add(Photo(EIGHT // (number + 1)), seconds, plays=3)
        made.close()
        found = list(read_animation(path))
    sound = [round(frame.seconds, 2) for frame in found] == [0.05, 0.12, 0.33]
    return YES if sound and {frame.plays for frame in found} == {3} else NO


def salvaged(kind: str) -> str:
    grain = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    stored = encode_photo(Photo(grain), format=FORMATS[kind].suffix)
    try:
        read_photo(stored[: len(stored) * 2 // 3], salvage=True)
    except UndarkError:
        return NO
    return YES


MEASURED: dict[str, Callable[[str], str]] = {
    "bits a sample": depth,
    "loss": loss,
    "grey": gray,
    "alpha": alpha,
    "ICC": icc,
    "code points (nclx, cICP)": code_points,
    "HDR (PQ, HLG)": hdr,
    "gain map (Ultra HDR)": gain_map,
    "gain map (Apple)": apple_map,
    "motion video": motion,
    "EXIF": exif,
    "XMP": xmp,
    "IPTC": iptc,
    "comment": comments,
    "texts of a PNG": texts,
    "record of undark's": recorded,
    "resolution": resolution,
    "orientation": orientation,
    "animation": animation,
    "`--salvage`": salvaged,
}


def table() -> None:
    formats = [*WRITABLE_FORMATS]
    print("| | " + " | ".join(formats) + " |")
    print("|---" * (len(formats) + 1) + "|")
    for name, way in MEASURED.items():
        print(f"| {name} | " + " | ".join(way(kind) for kind in formats) + " |")
    sides = (FORMATS[kind].max_side for kind in formats)
    print("| most pixels a side | " + " | ".join(str(side or NO) for side in sides) + " |")


def times() -> None:
    random = np.random.default_rng(0)
    small = random.integers(0, 120, (60, 80, 3), dtype=np.uint8)
    grain = random.integers(-6, 7, (750, 1000, 3))
    large = cv2.resize(small, (1000, 750), interpolation=cv2.INTER_CUBIC).astype(int) + grain
    photo = Photo(np.clip(large, 0, 255).astype(np.uint8))
    print("| | CPU seconds | kB |\n|---|---|---|")
    for kind in WRITABLE_FORMATS:
        begin = process_time()
        stored = encode_photo(replace(photo, format=kind))
        print(f"| {kind} | {process_time() - begin:.2f} | {len(stored) / 1000:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", action="store_true", help="time writing instead")
    times() if parser.parse_args().times else table()


if __name__ == "__main__":
    main()
