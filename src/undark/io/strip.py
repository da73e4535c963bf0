"""Leaving metadata out: all that the pixels do not need, or the place where a photo was taken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal, get_args

from undark.errors import UsageError
from undark.io.metadata import exif, iptc
from undark.io.metadata.xmp import without_properties
from undark.photo import Photo

__all__ = ["Strip", "check_strip", "strip_losses", "stripped", "stripped_tags"]

Strip = Literal["all", "gps"]
"""What is left out: all metadata, or the place."""

_EXIF: Final = "http://ns.adobe.com/exif/1.0/"
# Names by namespace; None for all of it. GPS in a name stands for a place wherever it comes.
_PLACES: Final[Mapping[str, tuple[str, ...] | None]] = {
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": ("Location", "CountryCode"),
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": ("LocationCreated", "LocationShown"),
    "http://ns.adobe.com/photoshop/1.0/": ("City", "State", "Country"),
    "http://www.w3.org/2003/01/geo/wgs84_pos#": None,
    "http://rs.tdwg.org/dwc/terms/": None,
    "http://rs.tdwg.org/dwc/index.htm": None,
}
_DRONES: Final = ("http://www.dji.com/drone-dji/1.0/", "http://pix4d.com/camera/1.0/")
_DRONE_NAMES: Final = ("Latitude", "Longitude", "AbsoluteAltitude", "RelativeAltitude")
_GPS_NAME: Final = re.compile(rb"[:<\s]((?:GPS|Gps|gps|Rtk)\w{0,40})")
_GPS_TAGS: Final = (
    *("VersionID", "Latitude", "Longitude", "AltitudeRef", "Altitude", "TimeStamp", "Satellites"),
    *("Status", "MeasureMode", "DOP", "SpeedRef", "Speed", "TrackRef", "Track", "MapDatum"),
    *("ImgDirectionRef", "ImgDirection", "DestLatitude", "DestLongitude", "DestBearingRef"),
    *("DestBearing", "DestDistanceRef", "DestDistance", "ProcessingMethod", "AreaInformation"),
    *("Differential", "HPositioningError", "DateStamp", "LatitudeRef", "LongitudeRef"),
)
_PLACE_KEY: Final = re.compile(r"gps|location|latitude|longitude|\bxyz\b|geotag", re.IGNORECASE)


def check_strip(what: str | None) -> None:
    """Check what is to be left out.

    Raises:
        UsageError: It is neither "all", "gps" nor None.
    """
    if what is not None and what not in get_args(Strip):
        raise UsageError(f"strip must be all or gps, not {what!r}", argument="strip")


def stripped(photo: Photo, what: str | None) -> Photo:
    """The photo without its metadata, or without the place in it.

    Args:
        photo: The photo.
        what: "all" leaves out EXIF, XMP, IPTC, comments, texts, gain map and video; what the
            pixels mean (their profile) and the resolution stay. "gps" leaves out where the photo
            was taken, by coordinates or by name, and what it says about its direction and time by
            satellite; a maker's note is not looked into, and a motion photo's video, which may
            tell it too, goes. None leaves out nothing.

    Raises:
        UsageError: It is none of these.
    """
    check_strip(what)
    if what == "all":
        return replace(photo, exif=None, xmp=None, iptc=None, texts=(), appended=None)
    if what is None:
        return photo
    return replace(
        photo,
        exif=exif.without_place(photo.exif) if photo.exif else None,
        xmp=_without_place(photo.xmp),
        iptc=iptc.without_place(photo.iptc),
        texts=tuple(text for text in photo.texts if not _PLACE_KEY.search(text.keyword)),
        appended=photo.appended and replace(photo.appended, tail=b"", video=(0, 0)),
    )


def strip_losses(photo: Photo, what: str | None) -> tuple[str, ...]:
    """Lines about what :func:`stripped` leaves out that one would not expect."""
    appended = photo.appended
    if what is None or appended is None:
        return ()
    found = [("gain map", appended.gain_map is not None and what == "all")]
    found.append(("video", appended.video[1] > 0))
    reason = ": it may tell the place too" if what == "gps" else ""
    return tuple(f"its {name} is left out{reason}" for name, there in found if there)


def _without_place(packet: bytes | None) -> bytes | None:
    if packet is None:
        return None
    found = {name.decode("ascii", "ignore") for name in _GPS_NAME.findall(packet)}
    names = {f"GPS{name}" for name in _GPS_TAGS} | found
    left = without_properties(packet, _EXIF, names)
    for namespace, places in _PLACES.items():
        left = without_properties(left, namespace, places)
    for namespace in _DRONES:
        left = without_properties(left, namespace, {*names, *_DRONE_NAMES})
    return left


def stripped_tags(tags: Mapping[str, str], what: str | None) -> dict[str, str]:
    """The tags of a video or of a stream of it, without what is to be left out.

    Args:
        tags: By their names.
        what: As for :func:`stripped`; of all, the language stays, which players choose by.
    """
    if what == "all":
        return {key: value for key, value in tags.items() if key == "language"}
    if what == "gps":
        return {key: value for key, value in tags.items() if not _PLACE_KEY.search(key)}
    return dict(tags)
