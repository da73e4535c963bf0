"""XMP packets: properties read, set and removed, and all else kept.

A packet is XML (ISO 16684-1, "XMP specification part 1"): ``x:xmpmeta`` around ``rdf:RDF``, whose
``rdf:Description`` elements hold the properties, as attributes or as elements. Packets come from
strangers: one that is broken, or that declares entities, is never an exception here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from typing import Any, Final, cast
from xml.dom.minidom import Attr, CDATASection, Document, Element, Node, Text
from xml.parsers.expat import ExpatError

from defusedxml.common import DefusedXmlException
from defusedxml.minidom import parseString

__all__ = [
    "all_properties",
    "clean_xmp",
    "edited",
    "fields_of",
    "is_sound",
    "properties",
    "remove",
    "set_field",
    "with_packet",
    "with_properties",
    "without_properties",
    "xmp_orientation",
]

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_XMLNS: Final = "http://www.w3.org/2000/xmlns/"
_ID: Final = "W5M0MpCehiHzreSzNTczkc9d"
_NEW: Final = (
    f'<?xpacket begin="\ufeff" id="{_ID}"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="' + _RDF + '">'
    '<rdf:Description rdf:about=""/></rdf:RDF></x:xmpmeta>\n'
    '<?xpacket end="w"?>'
)
# What minidom of Python before 3.13 writes as it is, where a reader would take it for a blank, or
# in texts for another end of line; noncharacters of Unicode hold the places until it is written.
_BREAKS: Final = {"\t": "\ufdd0", "\n": "\ufdd1", "\r": "\ufdd2"}
_NO_XML: Final = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TIFF: Final = "http://ns.adobe.com/tiff/1.0/"
_LOOSE_ORIENTATION: Final = re.compile(
    rb"tiff:Orientation(?:\s*=\s*[\"']|>)\s*([0-9]{1,9})\s*[\"'<]"
)
_CODES: Final = ("utf-8", "utf-16-le", "utf-16-be")
_ROOT: Final = re.compile(rb"<\?xpacket|<(x:xmpmeta|x:xapmeta|rdf:RDF)\b")


def clean_xmp(packet: bytes | None, *, width: int, height: int) -> bytes | None:
    """An XMP packet for an upright image of this size, without its embedded thumbnails."""
    if not packet:
        return None
    values = {
        b"tiff:Orientation": 1,
        b"tiff:ImageWidth": width,
        b"tiff:ImageLength": height,
        b"exif:PixelXDimension": width,
        b"exif:PixelYDimension": height,
    }
    for name, value in values.items():
        number = str(value).encode()
        for before, after in ((name + rb"\s*=\s*[\"']", rb"[\"']"), (b"<" + name + b">", b"</")):
            pattern = b"(" + before + rb")\s*\d+\s*(" + after + b")"
            packet = re.sub(pattern, rb"\g<1>" + number + rb"\g<2>", packet)
    if "Orientation" in properties(packet, _TIFF) and xmp_orientation(packet) != 1:
        # By another prefix, in another encoding, or no number.
        packet = with_properties(packet, _TIFF, "tiff", {"Orientation": "1"})
    return re.sub(rb"<(xmp|xap):Thumbnails>.*?</\1:Thumbnails>", b"", packet, flags=re.DOTALL)


def xmp_orientation(packet: bytes | None) -> int | None:
    """The number that a packet gives as its orientation, as EXIF counts; None where none."""
    said = properties(packet, _TIFF).get("Orientation")
    if said is None and packet and not is_sound(packet):
        found = _LOOSE_ORIENTATION.search(packet)
        said = found.group(1).decode() if found else None
    return int(said) if said and re.fullmatch(r"\s*[0-9]{1,9}\s*", said) else None


def is_sound(packet: bytes) -> bool:
    """Whether the packet is well-formed XML with an ``rdf:RDF``, free of entities of its own."""
    return _parsed(packet) is not None


def properties(packet: bytes | None, namespace: str) -> dict[str, str]:
    """The simple properties of a namespace: attributes, and elements that hold only text.

    Args:
        packet: The packet; none, or a broken one, has no properties.
        namespace: URI of the namespace.

    Returns:
        Values by their names without prefix, in the packet's order. Structures, lists and
        alternatives are left out. Of a name that comes twice, the first.
    """
    document = _parsed(packet)
    found: dict[str, str] = {}
    for _, node in [] if document is None else _top(document, namespace):
        text = node.value if isinstance(node, Attr) else _text(node)
        if text is not None:
            found.setdefault(_local(node), text)
    return found


def with_properties(
    packet: bytes | None, namespace: str, prefix: str, values: Mapping[str, str]
) -> bytes:
    """The packet with simple properties set; the rest of it is kept, its prefixes too.

    Args:
        packet: The packet. A broken one is dropped (see :func:`is_sound`): a new one takes its
            place, as where there is none.
        namespace: URI of the namespace.
        prefix: Prefix for the namespace, where the packet has none for it; where the packet has
            bound it to another namespace, a digit is added.
        values: Values by names without prefix. What a packet has by these names is replaced, of
            whatever kind it is. Characters that XML cannot hold are left out of the values.

    Returns:
        The packet in UTF-8.
    """
    document = _parsed(packet) or _parse(_NEW.encode())
    descriptions = list(_descriptions(document))
    if not descriptions:
        rdf = document.getElementsByTagNameNS(_RDF, "RDF")[0]
        first = document.createElementNS(
            _RDF, f"{rdf.prefix}:Description" if rdf.prefix else "Description"
        )
        first.setAttributeNS(_RDF, f"{rdf.prefix or 'rdf'}:about", "")
        rdf.appendChild(first)
        descriptions = [first]
    old: dict[str, list[tuple[Element, Attr | Element]]] = {}
    for owner, node in _top(document, namespace):
        old.setdefault(_local(node), []).append((owner, node))
    for name, value in values.items():
        text = _NO_XML.sub("", value)
        nodes = old.get(name, [])
        keep = next((node for _, node in nodes if _is_simple(node)), None)
        for owner, node in nodes:
            if node is not keep:
                remove(owner, node)
        if isinstance(keep, Attr):
            keep.value = text
        elif keep is not None:
            for child in list(keep.childNodes):
                keep.removeChild(child)
            if keep.hasAttributeNS(_RDF, "resource"):
                keep.removeAttributeNS(_RDF, "resource")
            keep.appendChild(document.createTextNode(text))
        else:
            bound = _bind(descriptions[0], namespace, prefix)
            descriptions[0].setAttributeNS(namespace, f"{bound}:{name}", text)
    return _written(document)


def without_properties(
    packet: bytes | None, namespace: str, names: Collection[str] | None = None
) -> bytes | None:
    """The packet without properties of a namespace, structures and lists included.

    Args:
        packet: The packet. A broken one is kept where the namespace's URI is not in it, and is
            dropped where it is.
        namespace: URI of the namespace.
        names: Names without prefix; None for the whole namespace, also within the structures of
            other namespaces.

    Returns:
        The packet, as it was where there was nothing to remove; None where nothing is left.
    """
    if packet is None:
        return None
    document = _parsed(packet)
    if document is None:
        return None if any(namespace.encode(code) in packet for code in _CODES) else packet
    found = [
        (owner, node)
        for owner, node in (_all(document) if names is None else _top(document, namespace))
        if node.namespaceURI == namespace and (names is None or _local(node) in names)
    ]
    if not found:
        return packet
    for owner, node in found:
        remove(owner, node)
    if names is None:
        for owner, node in list(_all(document)):
            if isinstance(node, Attr) and _is_declaration(node) and node.value == namespace:
                remove(owner, node)
    return _written(document) if any(all_properties(document)) else None


def edited(packet: bytes, change: Callable[[Document], bool]) -> bytes:
    """The packet after `change`, which gives whether it changed the tree; a broken one as it is."""
    document = _parsed(packet)
    return _written(document) if document is not None and change(document) else packet


def fields_of(structure: Element, namespace: str) -> dict[str, str]:
    """The simple fields of a namespace in a structure or in those within it, by local name."""
    found = ((_local(node), node) for node in _fields(structure, namespace))
    return {
        name: node.value if isinstance(node, Attr) else _text(node) or "" for name, node in found
    }


def set_field(structure: Element, namespace: str, name: str, value: str) -> None:
    """Set a simple field of a structure that has others of the namespace already."""
    nodes = _fields(structure, namespace)
    node = next((node for node in nodes if _local(node) == name), None)
    if isinstance(node, Attr):
        node.value = value
    elif node is not None:
        for child in list(node.childNodes):
            node.removeChild(child)
        assert node.ownerDocument is not None
        node.appendChild(node.ownerDocument.createTextNode(value))
    elif isinstance(nodes[0], Attr):
        owner = nodes[0].ownerElement
        assert owner is not None
        owner.setAttributeNS(namespace, f"{nodes[0].prefix}:{name}", value)
    else:
        owner, document = nodes[0].parentNode, nodes[0].ownerDocument
        assert owner is not None
        assert document is not None
        added = document.createElementNS(namespace, f"{nodes[0].prefix}:{name}")
        added.appendChild(document.createTextNode(value))
        owner.appendChild(added)


def _fields(structure: Element, namespace: str) -> list[Attr | Element]:
    found: list[Attr | Element] = [
        node for node in _attributes(structure) if node.namespaceURI == namespace
    ]
    for child in structure.childNodes:
        if isinstance(child, Element):
            if child.namespaceURI == namespace and _text(child) is not None:
                found.append(child)
            else:
                found += _fields(child, namespace)
    return found


def with_packet(packet: bytes, other: bytes) -> bytes:
    """The packet with all properties of another one added; where one is broken, the sound one."""
    document, added = _parsed(packet), _parsed(other)
    if document is None or added is None:
        return packet if added is None else other
    rdf = document.getElementsByTagNameNS(_RDF, "RDF")[0]
    for description in _descriptions(added):
        copy = document.importNode(description, True)
        place = description.parentNode
        while isinstance(place, Element):
            # What stands for a namespace in the other packet may be declared around it.
            for node in _attributes(place):
                if _is_declaration(node) and not copy.hasAttribute(node.name):
                    copy.setAttributeNS(_XMLNS, node.name, node.value)
            place = place.parentNode
        rdf.appendChild(copy)
    return _written(document)


def _parse(data: bytes) -> Document:
    # The stubs know of str alone; of bytes, the XML's own declaration says the encoding.
    return parseString(cast("Any", data), forbid_external=True)


def _parsed(packet: bytes | None) -> Document | None:
    """The packet as a tree; None where there is none or it is broken."""
    if not packet:
        return None
    # Many writers pad with NULs, or leave something before or after.
    root = _ROOT.search(packet)
    for data in (packet, packet[root.start() : packet.rfind(b">") + 1] if root else b""):
        try:
            document = _parse(data)
            document.toxml()  # What is nested too deeply can be read, and not written.
        except (ExpatError, DefusedXmlException, ValueError, LookupError, RecursionError):
            continue
        if document.getElementsByTagNameNS(_RDF, "RDF"):
            return document
    return None


def _written(document: Document) -> bytes:
    for _, node in _all(document):
        if isinstance(node, Attr):
            for before, after in _BREAKS.items():
                node.value = node.value.replace(before, after)
            continue
        for child in node.childNodes:
            if isinstance(child, Text) and not isinstance(child, CDATASection):
                child.data = child.data.replace("\r", _BREAKS["\r"])
    text = "\n".join(node.toxml() for node in document.childNodes)
    for before, after in _BREAKS.items():
        text = text.replace(after, f"&#{ord(before)};")
    return text.encode()


def _descriptions(document: Document) -> Iterator[Element]:
    """The elements that hold properties: children of ``rdf:RDF``."""
    for rdf in document.getElementsByTagNameNS(_RDF, "RDF"):
        yield from (node for node in rdf.childNodes if isinstance(node, Element))


def _top(document: Document, namespace: str) -> list[tuple[Element, Attr | Element]]:
    """The properties of a namespace with the elements that they belong to."""
    return [pair for pair in all_properties(document) if pair[1].namespaceURI == namespace]


def all_properties(document: Document) -> Generator[tuple[Element, Attr | Element]]:
    """The properties of every namespace with the elements that they belong to."""
    for owner in _descriptions(document):
        for node in _attributes(owner):
            if node.namespaceURI not in (_RDF, _XMLNS, _XML, None):
                yield owner, node
        for child in owner.childNodes:
            if isinstance(child, Element):
                yield owner, child


def _all(document: Document) -> Generator[tuple[Element, Attr | Element]]:
    """All attributes and elements but the root, with the elements that they belong to."""
    todo: list[Node] = list(document.childNodes)
    while todo:
        owner = todo.pop()
        if isinstance(owner, Element):
            for node in _attributes(owner):
                yield owner, node
            for child in owner.childNodes:
                if isinstance(child, Element):
                    yield owner, child
            todo.extend(owner.childNodes)


def _attributes(owner: Element) -> list[Attr]:
    return list(owner.attributes.values())


def _is_declaration(node: Attr) -> bool:
    return node.namespaceURI == _XMLNS


def _local(node: Attr | Element) -> str:
    return node.localName or node.nodeName.rpartition(":")[2]


def _is_simple(node: Attr | Element) -> bool:
    return isinstance(node, Attr) or _text(node) is not None


def _text(element: Element) -> str | None:
    """The text of an element that holds nothing else; of an rdf:resource, its URI."""
    resource = element.getAttributeNS(_RDF, "resource")
    if resource:
        return resource
    if element.getAttributeNS(_RDF, "parseType"):
        return None
    parts: list[str] = []
    for child in element.childNodes:
        if isinstance(child, Element):
            return None
        if child.nodeType in (Node.TEXT_NODE, Node.CDATA_SECTION_NODE):
            parts.append(child.nodeValue or "")
    return "".join(parts)


def remove(owner: Element, node: Attr | Element) -> None:
    """Take an attribute or a child from the element that it belongs to."""
    if isinstance(node, Attr):
        if owner.hasAttribute(node.name):
            owner.removeAttribute(node.name)
    elif node.parentNode is owner:
        owner.removeChild(node)


def _bind(element: Element, namespace: str, prefix: str) -> str:
    """The prefix that stands for a namespace at this element, declared there where need be."""
    bound: dict[str, str] = {}
    place: Node | None = element
    while isinstance(place, Element):
        for node in _attributes(place):
            if _is_declaration(node) and node.prefix == "xmlns":
                bound.setdefault(_local(node), node.value)
        place = place.parentNode
    for name, uri in bound.items():
        if uri == namespace:
            return name
    name, count = prefix, 1
    while name in bound:
        count += 1
        name = f"{prefix}{count}"
    element.setAttributeNS(_XMLNS, f"xmlns:{name}", namespace)
    return name
