"""Colour profiles: which one fits, and sRGB's."""

from __future__ import annotations

import functools
from typing import Any

from PIL import ImageCms

__all__ = ["built_in_srgb", "fitting_icc", "srgb_profile"]


def fitting_icc(icc: bytes | None, *, gray: bool) -> bytes | None:
    """The profile if it describes pixels of this kind (grey or RGB), else None."""
    return icc if icc and icc[16:20] == (b"GRAY" if gray else b"RGB ") else None


def built_in_srgb() -> Any:
    """LittleCMS's own sRGB, as its transforms take it."""
    # Pillow gives its C part no types.
    return ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


@functools.cache
def srgb_profile() -> bytes:
    """An sRGB profile."""
    return ImageCms.ImageCmsProfile(built_in_srgb()).tobytes()
