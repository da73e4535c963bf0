"""Frames on their way through a change: from the decoder's kind to the encoder's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from undark.io.video.coding import Kind, is_planar, pixel_format
from undark.io.video.filters import twin
from undark.io.video.hdr import BT_2020, Hdr, rendering_for
from undark.io.video.libav import libav
from undark.io.video.planes import Change, alpha_of, planes_of
from undark.io.video.preview import Preview, compose, preview_size
from undark.pixels.planes import Colours, Planes

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["Canvas"]

# FFmpeg's numbers of the ranges that samples may have.
_LIMITED, _FULL = 1, 2
# What of a planar format's name says its depth.
_DEPTH: Final = re.compile(r"(?:\d+le)?$")


class Canvas:
    """Takes decoded frames of any format to changed ones of the format that is encoded.

    Args:
        first: The first frame, which says what all are like.
        kind: What is to be kept of it.
        codec: A key of `undark.io.video.coding.CODECS`.
        preview: Show before and after in one frame.
        turned: They are seen with rows for columns.
        hdr: What makes them HDR, which they stay; or None.
        plain: They become what devices play; see `undark.io.video.coding.pixel_format`.

    Attributes:
        kind: What is kept of them.
        format: FFmpeg's name of the pixel format that is encoded.
        size: Width and height that are encoded.
    """

    def __init__(
        self,
        first: VideoFrame,
        kind: Kind,
        codec: str,
        *,
        preview: Preview | None = None,
        plain: bool = False,
        turned: bool = False,
        hdr: Hdr | None = None,
    ) -> None:
        """See what frames are, and decide what they become."""
        self._av = libav()
        self._first = first
        self._preview: Preview | None = preview
        name = first.format.name
        self.kind = kind
        self.format: str = pixel_format(kind, codec, plain=plain)
        # Frames are changed at the depth that they have: light shows what a coarser one loses.
        self._format = self.format if hdr is not None else _at_depth(self.format, first)
        self._is_planar = is_planar(name)
        # Other formats become what players take where nothing is said.
        self._matrix = int(first.colorspace) if self._is_planar else 1 if first.height >= 720 else 6
        if hdr is not None and self._matrix not in (BT_2020, BT_2020 + 1):
            self._matrix = BT_2020
        self._hdr = hdr
        full = first.color_range == _FULL or name.startswith("yuvj")
        self._range = _FULL if full and self._is_planar else _LIMITED
        self._own = (first.width, first.height)
        self._is_turned = turned
        whole = preview_size(*self._own, self._preview, turned=self._is_turned)
        # Encoders of 4:2:0 take even sizes: the last column or row is repeated where it is odd.
        self.size: tuple[int, int] = (whole[0] + whole[0] % 2, whole[1] + whole[1] % 2)

    def describe(self, context: Any) -> None:
        """Tell an encoder what frames are like."""
        first = self._first
        context.width, context.height = self.size
        context.pix_fmt = self.format
        context.color_range = self._range
        context.colorspace = self._matrix
        context.color_primaries = int(first.color_primaries)
        context.color_trc = int(first.color_trc)
        if self._hdr is not None:
            context.color_primaries, context.color_trc = BT_2020, self._hdr.transfer
        if self.kind.fields:
            context.flags |= self._av.codec.context.Flags.interlaced_dct.value

    def options(self, codec: str) -> dict[str, str]:
        """What else an encoder is told, as options of its own."""
        return {} if self._hdr is None else self._hdr.options(codec)

    def changed(self, frame: VideoFrame, change: Change, seconds: float) -> VideoFrame:
        """A new frame, `frame` as `change` makes it; shown at that time."""
        source = self._usual(frame)
        result = self._empty(source)
        result.color_range = self._range
        before, after = (planes_of(item, self._matrix) for item in (source, result))
        if self._hdr is not None:
            change = _through_rendition(change, self._hdr, before.colours)
        if self._preview is None:
            # The file's frame can be a row or column larger, in colour too where it is as fine.
            pairs = ((after.y, before.y), (after.u, before.u), (after.v, before.v))
            y, u, v = (whole[: part.shape[0], : part.shape[1]] for whole, part in pairs)
            change(before, Planes(y, u, v, after.colours), time=seconds)
            for whole, part in pairs:
                _fill(whole, *part.shape)
        else:
            y, u, v = (np.empty_like(plane) for plane in (before.y, before.u, before.v))
            bright = Planes(y, u, v, before.colours)
            change(before, bright, time=seconds)
            depth = after.colours.depth
            before, bright = before.at_depth(depth), bright.at_depth(depth)
            compose(before, bright, after, self._preview, turned=self._is_turned)
        if self.format.startswith("yuva"):
            self._copy_alpha(source, result)
        return result

    def _empty(self, source: VideoFrame) -> VideoFrame:
        """A frame to be encoded, which says of its fields what `source` does."""
        if self.kind.fields and self.size == (source.width, source.height):
            same = source.format.name == self.format
            return twin(source if same else source.reformat(format=self.format))
        return self._av.VideoFrame(*self.size, self.format)

    def _copy_alpha(self, source: VideoFrame, result: VideoFrame) -> None:
        whole, part = alpha_of(result), alpha_of(source)
        top, its = ((1 << item.format.components[0].bits) - 1 for item in (result, source))
        if self._preview is not None:
            whole[...] = top
            return
        if top != its:
            part = np.rint(part * np.float32(top / its)).astype(whole.dtype)
        whole[: part.shape[0], : part.shape[1]] = part
        _fill(whole, *part.shape)

    def _usual(self, frame: VideoFrame) -> VideoFrame:
        """The frame in the size of the first, and in what is nearest to its format."""
        size = (frame.width, frame.height)
        if size == self._own and frame.format.name.replace("yuvj", "yuv") == self._format:
            return frame
        if self._is_planar:
            return frame.reformat(*self._own, self._format)
        return frame.reformat(
            *self._own, self._format, dst_colorspace=self._matrix, dst_color_range=_LIMITED
        )


def _at_depth(name: str, frame: VideoFrame) -> str:
    """The planar format of that name, with as many bits a sample as `frame` has, or more."""
    bits = frame.format.components[0].bits
    own = _DEPTH.sub("" if bits <= 8 else f"{bits}le", name, count=1)
    try:
        return str(libav().VideoFormat(own).name)
    except ValueError:  # there are few depths for transparency
        return _DEPTH.sub("16le", name, count=1)


def _through_rendition(change: Change, hdr: Hdr, colours: Colours) -> Change:
    """The change, made to what an SDR screen shows of frames, done to the frames."""
    rendering = rendering_for(hdr.transfer, colours, hdr.peak)

    def changed(source: Planes, target: Planes, *, time: float) -> None:
        before = rendering.rendition(source)
        after = before.planes.blank_copy()
        change(before.planes, after, time=time)
        rendering.relit(source, before, after, target)

    return changed


def _fill(plane: np.ndarray[Any, Any], rows: int, columns: int) -> None:
    """Repeat the last column and row where the plane is larger."""
    plane[:rows, columns:] = plane[:rows, columns - 1 : columns]
    plane[rows:] = plane[rows - 1 : rows]
