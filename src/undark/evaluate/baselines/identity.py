"""Doing nothing: what every other result is measured against."""

from __future__ import annotations

from undark.photo import Photo

__all__ = ["identity"]


def identity(photo: Photo) -> Photo:
    """The dark photo as it is."""
    return photo
