"""Properties of XMP packets read, set and removed; the rest stays, and nothing raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undark.io.metadata.xmp import is_sound, properties, with_properties, without_properties

MINE = "https://example.org/mine/1.0/"
XMP = "http://ns.adobe.com/xap/1.0/"
CAMERA = "http://ns.google.com/photos/1.0/camera/"
CONTAINER = "http://ns.google.com/photos/1.0/container/"
ITEM = "http://ns.google.com/photos/1.0/container/item/"

PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="tool">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xap="http://ns.adobe.com/xap/1.0/"'
    f' xmlns:GCamera="{CAMERA}" xmlns:Container="{CONTAINER}" xmlns:Item="{ITEM}"'
    ' xap:Label="two&#10;lines" GCamera:MicroVideo="1" GCamera:MicroVideoOffset="77">'
    "<xap:Rating>4</xap:Rating>"
    '<dc:title xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Alt>'
    '<rdf:li xml:lang="x-default">Nacht &amp; Nebel</rdf:li></rdf:Alt></dc:title>'
    '<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource">'
    '<Container:Item Item:Mime="video/mp4" Item:Length="77"/></rdf:li></rdf:Seq>'
    "</Container:Directory>"
    "</rdf:Description></rdf:RDF></x:xmpmeta>\n"
    '<?xpacket end="w"?>'
).encode()

BROKEN = [
    b"",
    b"\x00\xff\x00",
    b"no XML at all",
    PACKET[:400],
    PACKET.replace(b"xmlns:xap=", b"xmlns:zap="),
    b"<a/>",
    b"<rdf:RDF " * 30,
    b'<!DOCTYPE a [<!ENTITY b "c">]>'
    + PACKET[PACKET.index(b"<x:") : PACKET.rindex(b"<?")].replace(b"Nacht", b"&b;"),
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    + b"<a>" * 50_000
    + b"</a>" * 50_000
    + b"</rdf:RDF>",
    b'<?xml version="1.0" encoding="nonesuch"?><a/>',
]


def test_attributes_and_elements_are_properties() -> None:
    assert properties(PACKET, XMP) == {"Label": "two\nlines", "Rating": "4"}
    assert properties(PACKET, CAMERA) == {"MicroVideo": "1", "MicroVideoOffset": "77"}
    assert properties(PACKET, CONTAINER) == {}
    assert properties(None, XMP) == {}


def test_what_is_set_is_read_and_all_else_stays() -> None:
    changed = with_properties(PACKET, MINE, "mine", {"model": 'a "b" <c>\n&', "n": "1"})
    assert properties(changed, MINE) == {"model": 'a "b" <c>\n&', "n": "1"}
    assert properties(changed, XMP) == properties(PACKET, XMP)
    assert changed.startswith('<?xpacket begin="\ufeff"'.encode())
    assert changed.endswith(b'<?xpacket end="w"?>')
    for kept in (b'x:xmptk="tool"', b"Nacht &amp; Nebel", b"xap:Rating", b"Item:Length"):
        assert kept in changed
    again = with_properties(changed, MINE, "mine", {"n": "1"})
    assert with_properties(again, MINE, "mine", {"n": "1"}) == again
    assert properties(without_properties(changed, MINE), XMP) == properties(PACKET, XMP)


def test_what_is_there_is_set_in_its_place() -> None:
    changed = with_properties(PACKET, XMP, "xmp", {"Rating": "5", "Label": "x"})
    assert properties(changed, XMP) == {"Label": "x", "Rating": "5"}
    assert b"<xap:Rating>5</xap:Rating>" in changed
    assert b"xmlns:xmp=" not in changed
    title = with_properties(PACKET, "http://purl.org/dc/elements/1.1/", "dc", {"title": "plain"})
    assert properties(title, "http://purl.org/dc/elements/1.1/") == {"title": "plain"}
    assert b"Nacht" not in title


def test_a_prefix_bound_to_another_namespace_is_not_taken() -> None:
    changed = with_properties(PACKET, MINE, "GCamera", {"a": "b"})
    assert properties(changed, MINE) == {"a": "b"}
    assert properties(changed, CAMERA) == properties(PACKET, CAMERA)


def test_properties_are_removed_by_name_or_all() -> None:
    less = without_properties(PACKET, CAMERA, {"MicroVideo"})
    assert properties(less, CAMERA) == {"MicroVideoOffset": "77"}
    none = without_properties(PACKET, CONTAINER, {"Directory"})
    assert none is not None
    assert b"Length" not in none
    items = without_properties(PACKET, ITEM)
    assert items is not None
    assert ITEM.encode() not in items
    assert b"Container:Directory" in items
    assert without_properties(PACKET, MINE) == PACKET
    mine = with_properties(None, MINE, "mine", {"a": "b"})
    assert is_sound(mine)
    assert without_properties(mine, MINE) is None
    assert without_properties(None, MINE) is None


@pytest.mark.parametrize("code", ["utf-16-le", "utf-16-be", "utf-16"])
def test_other_encodings_of_unicode_are_read(code: str) -> None:
    text = PACKET.decode()
    packet = text.encode(code) if code == "utf-16" else text.replace("\ufeff", "").encode(code)
    assert properties(packet, XMP) == properties(PACKET, XMP)
    assert properties(with_properties(packet, MINE, "m", {"a": "ä"}), MINE) == {"a": "ä"}


def test_padding_and_what_surrounds_the_packet_do_no_harm() -> None:
    for packet in (PACKET + b"\0" * 9, b"\0\0\n" + PACKET, b"\xef\xbb\xbf" + PACKET + b"\n\n"):
        assert properties(with_properties(packet, MINE, "m", {"a": "b"}), XMP)["Rating"] == "4"


@pytest.mark.parametrize("packet", BROKEN)
def test_broken_and_hostile_packets_raise_nothing(packet: bytes) -> None:
    assert not is_sound(packet)
    assert properties(packet, XMP) == {}
    assert properties(with_properties(packet, MINE, "m", {"a": "b"}), MINE) == {"a": "b"}
    assert without_properties(packet, MINE) == packet
    if CAMERA.encode() in packet:
        assert without_properties(packet, CAMERA) is None


@given(st.dictionaries(st.sampled_from(["a", "b", "Label", "Rating"]), st.text()))
def test_any_text_survives_but_what_xml_cannot_hold(values: dict[str, str]) -> None:
    changed = with_properties(PACKET, XMP, "xmp", values)
    for name, value in values.items():
        allowed = "".join(
            c
            for c in value
            if c in "\t\n\r"
            or ("\x20" <= c <= "\ufffd" and not "\ud800" <= c <= "\udfff")
            or c > "\uffff"
        )
        if not any(c in allowed for c in "\ufdd0\ufdd1\ufdd2"):
            assert properties(changed, XMP)[name] == allowed


@given(st.binary(max_size=60), st.integers(0, len(PACKET)), st.integers(0, 60))
def test_damage_anywhere_raises_nothing(data: bytes, place: int, cut: int) -> None:
    packet = PACKET[:place] + data + PACKET[place + cut :]
    assert properties(with_properties(packet, MINE, "m", {"a": "b"}), MINE) == {"a": "b"}
    properties(packet, XMP)
    without_properties(packet, CAMERA)
