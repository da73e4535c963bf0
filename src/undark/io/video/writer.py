"""Writing a video: its changed frames encoded, all else copied."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from undark.io.video.containers import muxer_of
from undark.io.video.encoding import Encoding
from undark.io.video.libav import libav
from undark.io.video.scheduling import start_encoding
from undark.io.video.streams import Companions, copy_chapters

if TYPE_CHECKING:
    from av.packet import Packet

__all__ = ["Source", "VideoWriter"]

_MPEG_4: Final = (".mp4", ".m4v", ".mov")


class Source(Protocol):
    """What gives frames and packets, one by one, and None at their end."""

    def get(self) -> Any:
        """The next."""
        ...


class _OneWay:
    """A pipe: FFmpeg must not seek in it, whatever it is led to."""

    def __init__(self, pipe: BinaryIO) -> None:
        self.write = pipe.write
        self.flush = pipe.flush


class VideoWriter:
    """Encodes changed frames and copies packets, into one file.

    Args:
        place: The file to write, whatever its name; or a pipe, which gets Matroska.
        encoding: What is encoded.
        notice: Called with a line about each stream that is left out or converted.

    Raises:
        OSError: The file cannot be written.
        FFmpegError: FFmpeg does not take what it is to hold.
    """

    def __init__(
        self, place: Path | BinaryIO, encoding: Encoding, notice: Callable[[str], None]
    ) -> None:
        """Open the file and describe its streams."""
        self._av = libav()
        reader, options = encoding.reader, encoding.options
        self._shift = reader.shift
        self._closed = False
        self._joined = False
        tags = encoding.tags(reader.container.metadata)
        suffix = encoding.destination.suffix.lower()
        # Phones' own tags need this to be kept; others are better off without.
        keep = suffix in _MPEG_4 and any("." in key for key in tags)
        flags = {"movflags": "use_metadata_tags"} if keep else {}
        where, form = (
            (str(place), muxer_of(encoding.destination))
            if isinstance(place, Path)
            else (_OneWay(place), muxer_of(Path("_.mkv")))
        )
        self._file: Any = self._av.open(where, "w", format=form, container_options=flags)
        self._file.metadata.update(tags)
        self._stream: Any = encoding.add_to(self._file)
        self._others = Companions(
            reader.container,
            self._file,
            reader.stream,
            notice,
            covers=reader.covers,
            strip=options.strip,
        )
        end = float("inf") if options.end is None else options.end
        if options.strip != "all":
            copy_chapters(reader.container, self._file, options.begin, end)
        start_encoding(self._file)

    def drain(self, channel: Source) -> None:
        """Write what comes through `channel` until None, then bring the file to its end."""
        item = channel.get()
        while item is not None:
            if isinstance(item, self._av.VideoFrame):
                self._file.mux(self._stream.encode(item))
            else:
                self._others.write(item, self._shift)
            item = channel.get()
        self.close()

    def join(self, video: Iterable[Packet[Any]], others: Iterable[Packet[Any]]) -> None:
        """Write packets that are encoded already and those that lie beside, then end the file.

        Args:
            video: Of the one stream, in the order of decoding.
            others: Of the source, in the order of its file; they are written at their time.
        """
        self._joined = True
        waiting = iter(others)
        other = next(waiting, None)
        for packet in video:
            time = float((packet.dts or 0) * packet.time_base)
            while other is not None and self._time(other) <= time:
                self._others.write(other, self._shift)
                other = next(waiting, None)
            packet.stream = self._stream
            self._file.mux(packet)
        while other is not None:
            self._others.write(other, self._shift)
            other = next(waiting, None)
        self.close()

    def _time(self, packet: Packet[Any]) -> float:
        stamp = packet.dts if packet.dts is not None else packet.pts
        return float((stamp or 0) * packet.time_base - self._shift)

    def close(self) -> None:
        """Bring the file to its end: what is written so far can be played.

        Raises:
            OSError: It cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if not self._joined:
                self._file.mux(self._stream.encode(None))
            self._others.finish()
        finally:
            self._file.close()
