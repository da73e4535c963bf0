"""The record of how a result was made: one form, in every format that has XMP, and no more."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from undark.adjust import CONTROLS, Adjust
from undark.errors import UsageError
from undark.io.formats import FORMATS, WRITABLE_FORMATS
from undark.io.metadata.software import with_software
from undark.io.metadata.tags import read_tags
from undark.io.metadata.xmp import properties, with_properties
from undark.io.photo import read_photo, write_photo
from undark.io.record import (
    NAMESPACE,
    Record,
    find_record,
    read_recipe,
    with_record,
    without_record,
)
from undark.photo import Photo

RECORD = Record(
    version="1.2.3",
    model="night",
    sha256="ab" * 32,
    adjust=Adjust(strength=0.1, exposure=-1 / 3),
    runtime="onnxruntime",
    precision="exact",
    quality=90,
    source="cd" * 32,
)
HOLDS = [name for name in WRITABLE_FORMATS if FORMATS[name].xmp]
XMP = "http://ns.adobe.com/xap/1.0/"


def small(**values: object) -> Photo:
    pixels = np.full((24, 32, 3), 60, np.uint8)
    return Photo(pixels, **values)  # type: ignore[arg-type]


def test_there_is_one_canonical_form() -> None:
    text = RECORD.canonical()
    assert text.isascii()
    assert json.loads(text) == RECORD.as_dict()
    assert text == json.dumps(RECORD.as_dict(), sort_keys=True, separators=(",", ":")).encode()
    same = replace(
        RECORD, adjust=Adjust(strength=np.float64(0.1), exposure=-1 / 3), sha256="AB" * 32
    )  # type: ignore[arg-type]
    assert same.canonical() == text


def test_the_recipe_is_the_record_without_its_source() -> None:
    assert RECORD.digest == hashlib.sha256(RECORD.canonical(source=False)).hexdigest()
    assert replace(RECORD, source="").digest == RECORD.digest
    assert b"cdcd" not in RECORD.canonical(source=False)
    for change in (
        {"version": "1.2.4"},
        {"model": "day"},
        {"sha256": "00" * 32},
        {"adjust": Adjust(strength=0.1, exposure=-0.3333)},
        {"runtime": "openvino"},
        {"precision": "fast"},
        {"quality": None},
    ):
        assert replace(RECORD, **change).digest != RECORD.digest  # type: ignore[arg-type]


def test_what_is_wanted_leaves_open_what_was_not_asked() -> None:
    wanted = replace(RECORD, runtime="", precision="", source="")
    assert RECORD.differences(wanted) == ()
    assert RECORD.differences(replace(wanted, precision="fast")) == ()
    fast = replace(RECORD, precision="fast")
    assert fast.differences(replace(wanted, precision="exact")) == ("precision fast, now exact",)
    for change, says in (
        ({"version": "2"}, "undark 1.2.3, now 2"),
        ({"sha256": "00" * 32}, "other weights of night"),
        ({"adjust": Adjust(strength=0.1, exposure=-0.333333333)}, "slightly other values"),
        ({"runtime": "openvino"}, "runtime onnxruntime, now openvino"),
        ({"quality": None}, "quality 90, now as the photo's"),
        ({"source": "00" * 32}, "the source has changed"),
    ):
        assert RECORD.differences(replace(wanted, **change)) == (says,)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", HOLDS)
def test_every_format_with_xmp_carries_it(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{FORMATS[kind].suffix}"
    theirs = with_properties(None, XMP, "xmp", {"Rating": "4"})
    photo = replace(small(xmp=theirs), format=kind)
    write_photo(with_record(photo, RECORD, kind), path)
    assert find_record(path) == RECORD
    back = read_photo(path)
    assert properties(back.xmp, XMP) == {"Rating": "4"}
    _, (main, *_) = read_tags(io.BytesIO(back.exif or b""))
    assert main.entries[0x0131].data == b"undark 1.2.3\0"
    write_photo(without_record(back), path)
    assert find_record(path) is None
    assert properties(read_photo(path).xmp, XMP) == {"Rating": "4"}


def test_an_older_record_gives_way() -> None:
    once = with_record(small(), RECORD, "PNG")
    twice = with_record(once, replace(RECORD, quality=None, version="9"), "PNG")
    assert "Quality" not in properties(twice.xmp, NAMESPACE)
    assert properties(twice.xmp, NAMESPACE)["Version"] == "9"


@pytest.mark.parametrize(
    "content", [b"", b"x", b"<rdf:RDF " + NAMESPACE.encode(), NAMESPACE.encode() + b"</rdf:RDF>"]
)
def test_what_is_no_record_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    assert find_record(path) is None
    assert find_record(tmp_path) is None
    assert find_record(tmp_path / "missing.jpg") is None


@pytest.mark.parametrize("change", [{"Strength": "7"}, {"Exposure": "much"}, {"Quality": "good"}])
def test_a_damaged_record_is_like_no_wanted_one(change: dict[str, str]) -> None:
    found = Record.of({**RECORD.values(), **change})
    assert found.version == "1.2.3"
    assert found.differences(RECORD)
    assert Record.of({"Version": "3"}).differences(RECORD)


def exif_with(entries: list[tuple[int, int, bytes]], order: str = "<", tail: bytes = b"") -> bytes:
    """An EXIF block with texts (tag, TIFF type, value); longer values lie behind, then `tail`."""
    where = 8 + 2 + 12 * len(entries) + 4
    table, values = b"", b""
    for tag, kind, value in entries:
        stored = value.ljust(4, b"\0")
        if len(value) > 4:
            stored = struct.pack(order + "I", where + len(values))
            values += value
        table += struct.pack(order + "HHI", tag, kind, len(value)) + stored
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", len(entries))
    return head + table + bytes(4) + values + tail


@pytest.mark.parametrize("order", ["<", ">"])
def test_software_is_set_where_it_is_empty_and_nothing_moves(order: str) -> None:
    block = exif_with([(0x010F, 2, b"Camera maker\0"), (0x013B, 2, b"Someone\0")], order, b"NOTE!")
    for before in (block, exif_with([(0x010F, 2, b"Maker\0"), (0x0131, 2, b"  \0")], order)):
        after = with_software(before, "undark 1")
        layout, (main, *others) = read_tags(io.BytesIO(after))
        assert not others
        assert layout.order == order
        assert main.entries[0x0131].data == b"undark 1\0"
        assert list(main.entries) == sorted(main.entries)
        assert after[8 : len(before)] == before[8:], "what is pointed to keeps its place"
        assert with_software(after, "other") == after
    _, (main, *_) = read_tags(io.BytesIO(with_software(block, "undark 1")))
    assert main.entries[0x010F].data == b"Camera maker\0"
    assert main.entries[0x013B].data == b"Someone\0"


def test_software_of_others_stays_and_what_is_no_exif_too() -> None:
    block = exif_with([(0x0131, 2, b"Their tool\0")])
    assert with_software(block, "undark 1") == block
    assert with_software(b"nonsense", "undark 1") == b"nonsense"
    _, (main, *_) = read_tags(io.BytesIO(with_software(None, "undark 1")))
    assert main.entries[0x0131].data == b"undark 1\0"


def test_jpeg_loses_none_of_its_own_for_want_of_room(tmp_path: Path) -> None:
    large = with_properties(None, XMP, "xmp", {"Label": "x" * 65000})
    exif = exif_with([(0x010F, 2, b"Maker\0")], tail=bytes(65470))
    photo = small(xmp=large, exif=exif)
    path = tmp_path / "a.jpg"
    write_photo(with_record(photo, RECORD, "JPEG"), path)
    back = read_photo(path)
    assert properties(back.xmp, XMP) == {"Label": "x" * 65000}
    assert back.exif is not None
    assert len(back.exif) == len(exif)
    assert find_record(path) == RECORD


@pytest.mark.parametrize("sizes", [(200_000,), (40_000, 40_000, 30), (900,) * 200])
def test_a_record_is_found_beside_xmp_of_any_length(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    labels = {f"Label{number}": "x" * size for number, size in enumerate(sizes)}
    photo = small(xmp=with_properties(None, XMP, "xmp", {**labels, "Rating": "4"}))
    path = tmp_path / "a.jpg"
    write_photo(with_record(photo, RECORD, "JPEG"), path)
    assert find_record(path) == RECORD
    assert properties(read_photo(path).xmp, XMP) == {**labels, "Rating": "4"}
    with Image.open(path) as image:  # as programs see it that know of one segment only
        assert properties(image.info["xmp"], XMP)["Rating"] == "4"
    write_photo(without_record(read_photo(path)), path)
    assert find_record(path) is None
    assert properties(read_photo(path).xmp, XMP) == {**labels, "Rating": "4"}


def test_photos_of_every_kind_keep_what_they_had(
    tmp_path: Path, make_photo: Callable[..., Photo]
) -> None:
    for kind in HOLDS:
        photo = make_photo(kind)
        path = tmp_path / f"a{FORMATS[kind].suffix}"
        write_photo(photo, path)
        plain = read_photo(path)
        write_photo(with_record(photo, RECORD, kind), path)
        marked = read_photo(path)
        np.testing.assert_array_equal(plain.pixels, marked.pixels)
        assert plain.icc == marked.icc
        if plain.exif:
            old, new = (read_tags(io.BytesIO(p.exif or b"")) for p in (plain, marked))
            entries = dict(old.directories[0].entries)
            for tag, entry in entries.items():
                if entry.number == 1 and entry.kind == 4:
                    continue  # pointers
                assert new.directories[0].entries[tag].data == entry.data


NUMBERS = {name: st.floats(item.low, item.high, allow_nan=False) for name, item in CONTROLS.items()}
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
RECORDS = st.builds(
    Record,
    version=st.text(),
    model=st.text(),
    sha256=DIGESTS | st.just(""),
    adjust=st.builds(Adjust, **NUMBERS),
    runtime=st.text(),
    precision=st.sampled_from(["", "exact", "fast"]),
    quality=st.none() | st.integers(1, 100),
    strip=st.sampled_from(["", "gps", "all"]),
    source=DIGESTS | st.just(""),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(RECORDS)
def test_a_record_comes_back_from_its_json(record: Record) -> None:
    assert Record.from_dict(json.loads(record.canonical())) == record
    assert Record.from_dict(json.loads(record.canonical(source=False))) == replace(
        record, source=""
    )


@given(RECORDS, st.sampled_from(["", "adjust", "model"]), st.data())
def test_wrong_values_are_one_line_and_never_another_error(
    record: Record, where: str, data: st.DataObject
) -> None:
    values = record.as_dict()
    table = values[where] if where else values
    key = data.draw(st.sampled_from(sorted(table)) | st.text(max_size=5))
    table[key] = data.draw(JSON)
    try:
        found = Record.from_dict(values)
    except UsageError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert key in record.as_dict() or key in record.as_dict()[where] or key == "digest"
        assert Record.from_dict(found.as_dict()) == found


def test_a_recipe_needs_its_schema_and_model_alone(tmp_path: Path) -> None:
    path = tmp_path / "night.json"
    path.write_text('{"schema": 1, "model": {"name": "curve", "sha256": ""}}', "utf-8-sig")
    assert read_recipe(path) == Record(version="", model="curve", sha256="")
    path.write_text(json.dumps({**RECORD.as_dict(), "digest": RECORD.digest}, indent=2))
    assert read_recipe(path) == RECORD


MODEL = {"name": "curve", "sha256": ""}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "no JSON"),
        ("[1]", "must be an object, not [1]"),
        ("[" * 100_000, "no JSON"),
        ("{}" + " " * (1 << 20), "larger than a mebibyte"),
        ({}, 'lacks the key "schema"'),
        ({"schema": 1}, 'lacks the key "model"'),
        ({"schema": 2, "model": MODEL}, "schema must be 1, not 2"),
        ({"schema": True, "model": MODEL}, "schema must be 1, not true"),
        ({"schema": 1, "model": "curve"}, 'model must be an object, not "curve"'),
        ({"schema": 1, "model": {"name": "curve"}}, 'model lacks the key "sha256"'),
        ({"schema": 1, "model": {**MODEL, "sha256": "ab"}}, "64 hexadecimal digits"),
        ({"schema": 1, "model": MODEL, "steps": []}, 'unknown key "steps"'),
        ({"schema": 1, "model": MODEL, "adjust": {"glow": 1}}, 'unknown key "glow"'),
        ({"schema": 1, "model": MODEL, "adjust": {"exposure": 9}}, "between -4 and 4 EV, not 9"),
        ({"schema": 1, "model": MODEL, "adjust": {"exposure": 10**400}}, "so many digits"),
        ({"schema": 1, "model": MODEL, "adjust": {"exposure": "1"}}, 'a number, not "1"'),
        ({"schema": 1, "model": MODEL, "adjust": {"strength": True}}, "a number, not true"),
        ({"schema": 1, "model": MODEL, "quality": 0}, "from 1 to 100, not 0"),
        ({"schema": 1, "model": MODEL, "quality": True}, "from 1 to 100, not true"),
        ({"schema": 1, "model": MODEL, "strip": "some"}, 'not "some"'),
        ({"schema": 1, "model": MODEL, "source": "zz" * 32}, "64 hexadecimal digits"),
        ({"schema": 1, "model": MODEL, "runtime": None}, "must be a text, not null"),
    ],
)
def test_what_is_no_recipe_says_why(tmp_path: Path, content: object, says: str) -> None:
    path = tmp_path / "night.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(UsageError) as caught:
        read_recipe(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{path}: is no recipe: ")


def test_a_photo_is_no_json_and_a_missing_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_photo(with_record(small(), RECORD, "PNG"), path)
    assert read_recipe(path) == RECORD
    write_photo(small(), path)
    assert read_recipe(path) is None
    with pytest.raises(UsageError, match="cannot be read"):
        read_recipe(tmp_path)
