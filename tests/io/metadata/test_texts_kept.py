"""IPTC, comments and texts: kept in every format that can hold them, told of where none can."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metadata_files import (
    chunk,
    chunks_of,
    dataset,
    image_file,
    pixels,
    raw_profile,
    resources,
    segment,
    tiff_file,
    with_chunks,
    with_segments,
    xmp_packet,
)
from PIL import Image, IptcImagePlugin

from undark.io.metadata.xmp import is_sound, properties
from undark.io.photo import encode_photo, losses, read_photo
from undark.photo import Photo, Text

IPTC = b"".join(
    [
        dataset(0, b"\0\4"),
        dataset(25, b"night"),
        dataset(25, b"harbour"),
        dataset(120, b"Ein Foto, nachts"),
        dataset(80, b"A. Photographer"),
        dataset(55, b"20240131"),
    ]
)
HOLDERS = ("JPEG", "PNG", "TIFF")
OTHERS = ("WEBP", "AVIF", "HEIF")
DC = "http://purl.org/dc/elements/1.1/"
PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
APP13 = b"Photoshop 3.0\0"


def jpeg(*segments: bytes) -> bytes:
    return with_segments(image_file("JPEG"), *segments)


def png(*chunks: bytes) -> bytes:
    return with_chunks(image_file("PNG"), *chunks)


def swapped(data: bytes) -> bytes:
    count = len(data) // 4
    return struct.pack(f">{count}I", *struct.unpack(f"<{count}I", data[: 4 * count]))


PADDED = IPTC + bytes(-len(IPTC) % 4)
SOURCES = {
    "JPEG": jpeg(segment(0xED, APP13 + resources((0x0404, IPTC)))),
    "JPEG, among others": jpeg(
        segment(0xED, APP13 + resources((0x03ED, bytes(16)), (0x0404, IPTC), (0x0425, bytes(16))))
    ),
    "JPEG, two segments": jpeg(
        segment(0xED, APP13 + resources((0x0404, IPTC))[:30]),
        segment(0xED, APP13 + resources((0x0404, IPTC))[30:]),
    ),
    "JPEG, a name": jpeg(
        segment(
            0xED,
            APP13 + b"8BIM\4\4\4name\0" + struct.pack(">I", len(IPTC)) + IPTC,
        )
    ),
    "PNG, tEXt": png(
        chunk(b"tEXt", b"Raw profile type iptc\0" + raw_profile("iptc", resources((0x0404, IPTC))))
    ),
    "PNG, zTXt": png(
        chunk(b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(raw_profile("iptc", IPTC)))
    ),
    "PNG, 8bim": png(
        chunk(b"tEXt", b"Raw profile type 8bim\0" + raw_profile("8bim", resources((0x0404, IPTC))))
    ),
    "TIFF": tiff_file([(33723, 7, len(IPTC), IPTC)]),
    "TIFF, bytes": tiff_file([(33723, 1, len(IPTC), IPTC)]),
    "TIFF, words": tiff_file([(33723, 4, len(PADDED) // 4, PADDED)]),
    "TIFF, swapped words": tiff_file([(33723, 4, len(PADDED) // 4, swapped(PADDED))]),
    "TIFF, resources": tiff_file(
        [(34377, 1, len(resources((0x0404, IPTC))), resources((0x0404, IPTC)))]
    ),
}


@pytest.mark.parametrize("source", SOURCES)
def test_iptc_is_read_wherever_it_stands_and_kept_where_it_can_be(source: str) -> None:
    photo = read_photo(SOURCES[source])
    assert photo.iptc == IPTC
    assert not photo.texts
    for format in HOLDERS:
        assert read_photo(encode_photo(photo, format=format)).iptc == IPTC
        assert losses(photo, format) == ()


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_another_program_finds_the_iptc(format: str) -> None:
    import io

    stored = encode_photo(read_photo(SOURCES["PNG, tEXt"]), format=format)
    found = IptcImagePlugin.getiptcinfo(Image.open(io.BytesIO(stored)))
    assert found
    assert found[2, 25] == [b"night", b"harbour"]
    assert found[2, 120] == b"Ein Foto, nachts"


@pytest.mark.parametrize("format", OTHERS)
def test_where_a_format_holds_no_iptc_it_becomes_xmp(format: str) -> None:
    photo = read_photo(SOURCES["JPEG"])
    (line,) = losses(photo, format)
    assert "IPTC" in line
    assert format in line
    packet = read_photo(encode_photo(photo, format=format)).xmp
    assert packet
    assert is_sound(packet)
    assert b"<dc:subject><rdf:Bag><rdf:li>night</rdf:li><rdf:li>harbour</rdf:li>" in packet
    assert b"Ein Foto, nachts" in packet
    assert properties(packet, PHOTOSHOP)["DateCreated"] == "2024-01-31"


def test_xmp_that_is_there_already_goes_before_iptc() -> None:
    packet = xmp_packet(
        '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Later</rdf:li></rdf:Alt>'
        "</dc:description>",
        f'xmlns:dc="{DC}" xmlns:my="http://example.com/my/" my:rating="5"',
    )
    photo = replace(read_photo(SOURCES["JPEG"]), xmp=packet)
    found = read_photo(encode_photo(photo, format="webp")).xmp
    assert found
    assert b"Later" in found
    assert b"Ein Foto" not in found
    assert b"harbour" in found
    assert properties(found, "http://example.com/my/") == {"rating": "5"}


def test_a_bmp_says_that_it_holds_none() -> None:
    photo = replace(read_photo(SOURCES["JPEG"]), texts=(Text("Comment", "hello"),))
    lines = " ".join(losses(photo, "BMP"))
    assert "IPTC is left out" in lines
    assert "Comment is left out" in lines


def test_a_large_block_goes_over_several_segments() -> None:
    block = b"".join(dataset(25, f"keyword {number}".encode() * 20) for number in range(900))
    assert len(block) > 2 * 65535
    photo = Photo(pixels(), iptc=block)
    for format in HOLDERS:
        assert read_photo(encode_photo(photo, format=format)).iptc == block


def test_the_small_copy_in_an_iptc_block_goes_as_a_thumbnail_does() -> None:
    block = IPTC + dataset(202, b"\xff\xd8 the dark image \xff\xd9")
    photo = read_photo(jpeg(segment(0xED, APP13 + resources((0x0404, block)))))
    assert photo.iptc == IPTC


COMMENTS = [b"A comment", "Grüße".encode(), "Grüße".encode("latin-1"), b"two\nlines\0"]


def test_comments_of_a_jpeg_stay_byte_for_byte() -> None:
    stored = jpeg(*(segment(0xFE, item) for item in COMMENTS))
    photo = read_photo(stored)
    assert [text.text for text in photo.texts] == ["A comment", "Grüße", "Grüße", "two\nlines"]
    again = encode_photo(photo)
    for item in COMMENTS:
        assert segment(0xFE, item) in again
    assert read_photo(again).texts == photo.texts


@pytest.mark.parametrize("format", ["PNG", "TIFF", *OTHERS])
def test_a_comment_finds_its_place_in_other_formats(format: str) -> None:
    photo = read_photo(jpeg(segment(0xFE, "Grüße".encode())))
    back = read_photo(encode_photo(photo, format=format))
    assert losses(photo, format) == ()
    if format == "PNG":
        assert [(text.keyword, text.text) for text in back.texts] == [("Comment", "Grüße")]
    else:
        assert back.xmp
        assert "Grüße".encode() in back.xmp


def test_a_gifs_comment_is_kept() -> None:
    photo = read_photo(image_file("GIF", comment=b"drawn by hand"))
    back = read_photo(encode_photo(photo))
    assert back.format == "PNG"
    assert [(text.keyword, text.text) for text in back.texts] == [("Comment", "drawn by hand")]


CHUNKS = [
    (b"tEXt", b"Title\0Night at the pier"),
    (b"tEXt", b'prompt\0{"3": {"class_type": "KSampler"}}'),
    (b"zTXt", b"workflow\0\0" + zlib.compress(b'{"nodes": []}' * 50)),
    (b"iTXt", b"Author\0\0\0de\0Autor\0" + "Zoë".encode()),
    (b"iTXt", b"Description\0\1\0\0\0" + zlib.compress("nächtlich".encode())),
    (b"tEXt", b"Title\0Another of the name"),
    (b"tEXt", b"parameters\0\xe9t\xe9"),
]


def text_chunks(stored: bytes) -> list[tuple[bytes, bytes]]:
    return [item for item in chunks_of(stored) if item[0] in (b"tEXt", b"zTXt", b"iTXt")]


@pytest.mark.parametrize("depth", [8, 16])
def test_texts_of_a_png_stay_byte_for_byte(depth: int) -> None:
    plain = pixels() if depth == 8 else pixels().astype("uint16") * 257
    stored = with_chunks(
        encode_photo(Photo(plain), format="png"), *(chunk(*item) for item in CHUNKS)
    )
    photo = read_photo(stored)
    assert text_chunks(encode_photo(photo)) == CHUNKS
    assert [text.text for text in photo.texts][3:] == [
        "Zoë",
        "nächtlich",
        "Another of the name",
        "été",
    ]


def test_texts_after_the_pixels_are_kept_too() -> None:
    stored = image_file("PNG")
    stored = stored[:-12] + chunk(b"tEXt", b"workflow\0{}") + stored[-12:]
    assert text_chunks(encode_photo(read_photo(stored))) == [(b"tEXt", b"workflow\0{}")]


def test_chunks_that_are_no_texts_are_left_out() -> None:
    bad = [
        chunk(b"tEXt", b"no end"),
        chunk(b"tEXt", b"\0nameless"),
        chunk(b"tEXt", b"k" * 80 + b"\0too long a name"),
        chunk(b"zTXt", b"broken\0\0not compressed"),
        chunk(b"iTXt", b"short\0\0"),
    ]
    data = bytearray(image_file("PNG"))
    photo = read_photo(with_chunks(bytes(data), chunk(b"tEXt", b"Title\0x"), *bad[:3], bad[4]))
    assert text_chunks(encode_photo(photo)) == [(b"tEXt", b"Title\0x")]
    assert read_photo(with_chunks(bytes(data), bad[3])).texts == ()


def test_a_text_longer_than_pillow_reads_is_no_reason_to_refuse_a_photo() -> None:
    long = b'{"nodes": []}' * 200_000
    stored = png(chunk(b"zTXt", b"workflow\0\0" + zlib.compress(long)))
    photo = read_photo(stored)
    assert photo.texts[0].text == long.decode()
    assert text_chunks(encode_photo(photo)) == text_chunks(stored)


def test_a_text_that_swells_without_end_does_not_fill_the_memory() -> None:
    bomb = zlib.compress(bytes(1 << 27), 9)
    stored = png(*(chunk(b"zTXt", b"bomb\0\0" + bomb) for _ in range(3)))
    assert sum(len(text.text) for text in read_photo(stored).texts) <= 1 << 26


@pytest.mark.parametrize("format", ["JPEG", "TIFF", *OTHERS])
def test_texts_with_a_natural_place_become_xmp_and_the_others_are_named(format: str) -> None:
    photo = read_photo(png(*(chunk(*item) for item in CHUNKS)))
    (line,) = losses(photo, format)
    assert line.startswith("its texts prompt, workflow, parameters are left out")
    packet = read_photo(encode_photo(photo, format=format)).xmp
    assert packet
    for value in ("Night at the pier", "Another of the name", "Zoë", "nächtlich"):
        assert value.encode() in packet


def test_a_pngs_comment_becomes_a_jpegs() -> None:
    photo = read_photo(png(chunk(b"tEXt", b"Comment\0by night")))
    assert losses(photo, "JPEG") == ()
    assert segment(0xFE, b"by night") in encode_photo(photo, format="jpeg")
    long = read_photo(png(chunk(b"tEXt", b"Comment\0" + b"x" * 70_000)))
    back = read_photo(encode_photo(long, format="jpeg"))
    assert not back.texts
    assert back.xmp
    assert b"x" * 70_000 in back.xmp


def test_raw_profiles_of_xmp_are_taken() -> None:
    packet = xmp_packet("", f'xmlns:dc="{DC}" dc:source="film"')
    app1 = b"http://ns.adobe.com/xap/1.0/\0" + packet
    for name, data in (("xmp", packet), ("APP1", app1)):
        key = f"Raw profile type {name}\0".encode()
        photo = read_photo(png(chunk(b"tEXt", key + raw_profile(name, data))))
        assert properties(photo.xmp, DC) == {"source": "film"}


def test_xmp_longer_than_a_segment_stays_whole() -> None:
    packet = xmp_packet(
        f"<my:data>{'A' * 150_000}</my:data>",
        f'xmlns:my="http://example.com/my/" xmlns:dc="{DC}" dc:source="film"',
    )
    photo = Photo(pixels(), xmp=packet)
    stored = encode_photo(photo, format="jpeg")
    back = read_photo(stored)
    assert properties(back.xmp, DC) == {"source": "film"}
    assert len(properties(back.xmp, "http://example.com/my/")["data"]) == 150_000
    assert properties(back.xmp, "http://ns.adobe.com/xmp/note/") == {}
    # Once more: nothing grows.
    assert encode_photo(back, format="jpeg") == encode_photo(
        read_photo(encode_photo(back, format="jpeg")), format="jpeg"
    )
    half = stored.replace(
        b"http://ns.adobe.com/xmp/extension/\0", b"http://ns.adobe.com/xmp/extensionX\0", 1
    )
    assert read_photo(half).width == 24


plain_text = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60
)
iptc_fields = st.lists(
    st.tuples(st.sampled_from([5, 25, 80, 90, 105, 120, 187]), st.binary(max_size=300)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(fields=iptc_fields, format=st.sampled_from([*HOLDERS, *OTHERS]))
def test_iptc_of_any_content_goes_round(fields: list[tuple[int, bytes]], format: str) -> None:
    block = b"".join(dataset(number, data) for number, data in fields)
    back = read_photo(encode_photo(Photo(pixels(), iptc=block), format=format))
    if format in HOLDERS:
        assert back.iptc == block
    else:
        assert back.iptc is None
        assert back.xmp is None or is_sound(back.xmp)


@settings(max_examples=25, deadline=None)
@given(
    keyword=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=79),
    text=plain_text,
    format=st.sampled_from(["PNG", "JPEG", "TIFF", *OTHERS]),
)
def test_texts_of_any_content_go_round(keyword: str, text: str, format: str) -> None:
    photo = Photo(pixels(), texts=(Text(keyword, text), Text("Title", text), Text("Comment", text)))
    back = read_photo(encode_photo(photo, format=format))
    losses(photo, format)
    if format == "PNG":
        found = [(item.keyword, item.text) for item in back.texts]
        assert found[1:] == [("Title", text), ("Comment", text)]
        assert found[0][1] == text
    assert back.xmp is None or is_sound(back.xmp)
