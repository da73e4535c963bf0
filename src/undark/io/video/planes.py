"""A video's frames as planes: its buffers, not copied, and what their samples mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from undark.pixels.planes import Colours, Planes, Samples

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["Change", "alpha_of", "planes_of"]

# Weights of red and blue in luma (ITU-R BT.601, BT.709, BT.2020), by FFmpeg's number for a
# matrix; 4 and 7 are FCC's and SMPTE 240M's.
_WEIGHTS: Final = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}


class Change(Protocol):
    """Writes a frame, changed, to another of the same shape; see `VideoEnhancer.enhance_planes`."""

    def __call__(self, source: Planes, target: Planes, *, time: float) -> None:
        """Change the frame that is shown at `time`, in seconds."""
        ...


def planes_of(frame: VideoFrame, matrix: int | None = None) -> Planes:
    """The samples of a planar YUV `frame`, not copied: writing to them changes the frame.

    Args:
        frame: Of 4:2:0, 4:2:2 or 4:4:4, 8 to 16 bits.
        matrix: FFmpeg's number of its colour matrix; by default as the frame says, and where it
            says nothing BT.709 for 720 rows and more, BT.601 for less, as players do.
    """
    number = frame.colorspace if matrix is None else matrix
    red, blue = _WEIGHTS.get(int(number), _WEIGHTS[1 if frame.height >= 720 else 6])
    depth = frame.format.components[0].bits
    full = frame.color_range == 2 or frame.format.name.startswith("yuvj")
    colours = Colours(red, blue, full, depth)
    y, u, v = (_samples(plane, colours.dtype) for plane in frame.planes[:3])
    return Planes(y, u, v, colours)


def alpha_of(frame: VideoFrame) -> Samples:
    """The transparency of a planar YUVA `frame`, 0 where nothing is seen; not copied."""
    deep = frame.format.components[0].bits > 8
    return _samples(frame.planes[3], np.dtype(np.uint16 if deep else np.uint8))


def _samples(plane: Any, dtype: np.dtype[Any]) -> Samples:
    """The samples of PyAV's plane, without the padding of its lines."""
    lines: Samples = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)
    return lines[: plane.height, : plane.width]
