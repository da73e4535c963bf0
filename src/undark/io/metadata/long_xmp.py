"""XMP packets that are too long for one place: divided by properties.

Format: Adobe XMP Specification, part 3 (2020), 1.1.3.1 "Extended XMP": the standard packet should
hold what most readers look for.
"""

from __future__ import annotations

from collections.abc import Collection
from xml.dom.minidom import Attr, Document

from undark.io.metadata.xmp import all_properties, edited, remove

__all__ = ["divided"]


def divided(packet: bytes, most: int) -> tuple[bytes | None, bytes]:
    """A packet in two: the first of at most so many bytes, the second with what it has no room for.

    The longest properties go (thumbnails, histories, workflows), so what programs look for stays in
    the first: how the photo is turned, what is appended to it, how it was made.

    Args:
        packet: A sound packet.
        most: Bytes that the first can have.

    Returns:
        None and the packet where that much cannot be taken out of it.
    """
    sizes: list[int] = []

    def measure(document: Document) -> bool:
        for _, node in all_properties(document):
            text = node.value if isinstance(node, Attr) else node.toxml()
            sizes.append(len(text.encode()))
        return True

    excess = len(edited(packet, measure)) - most
    moved: set[int] = set()
    for number in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
        if excess <= 0:
            break
        moved.add(number)
        excess -= sizes[number]
    kept = set(range(len(sizes))) - moved
    first = edited(packet, lambda document: _without(document, moved))
    if len(first) > most:
        return None, packet
    return first, edited(packet, lambda document: _without(document, kept))


def _without(document: Document, numbers: Collection[int]) -> bool:
    found = list(all_properties(document))
    for number, (owner, node) in enumerate(found):
        if number in numbers:
            remove(owner, node)
    full = {owner for owner, _ in all_properties(document)}
    for owner in {owner for owner, _ in found} - full:
        if owner.parentNode is not None:
            owner.parentNode.removeChild(owner)
    return True
