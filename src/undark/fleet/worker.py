"""One photo, from its source to its receipt: fetched, made, published."""

from __future__ import annotations

import errno
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Final

from undark.engine.enhancer import Enhancer
from undark.engine.video import VideoEnhancer
from undark.errors import OutputError, UndarkError
from undark.fleet.identity import METRICS, result_name
from undark.fleet.measuring import measured
from undark.fleet.opening import open_store
from undark.fleet.plan import Row
from undark.fleet.receipts import Receipt
from undark.fleet.settings import Settings
from undark.fleet.sources import Fetched, Sources
from undark.fleet.twins import Original, Twins
from undark.fleet.workshop import Workshop
from undark.io.formats import FORMATS, suffix_format
from undark.io.record import file_digest
from undark.io.standing import standing
from undark.io.video.animation import is_animated
from undark.io.video.coding import Coding
from undark.io.video.options import Transcoding
from undark.io.walk import Pair, is_video
from undark.jobs import Failed, Options, enhance_one

__all__ = ["Made", "TroubleError", "Waiting", "Worker"]

# What is wrong with the machine or the destination, and not with a photo.
_TROUBLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO})


class TroubleError(UndarkError):
    """Nothing more can be done here: it is not a photo's fault."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another is just making the same of the same bytes; to be asked for again."""


@dataclass(frozen=True, slots=True)
class Made:
    """A result that is to be published.

    Attributes:
        receipt: Its receipt, if it is published.
        path: Where it lies.
        digest: Sha256 of the source's bytes.
        twin: Whether others may wait for it.
    """

    receipt: Receipt
    path: Path
    digest: str
    twin: bool


class Worker:
    """Does photos by a run's settings. `fetch` and `publish` may run in other threads than `make`.

    Args:
        settings: The run's.
        threads: Processor threads for the model.

    Raises:
        ModelError: The model is not here, or is another than the run's.
        DeviceError: What the run was pinned to is not here.
    """

    def __init__(self, settings: Settings, threads: int | None = None) -> None:
        """Open the model and the stores."""
        self._settings = settings
        self._recipe = settings.recipe
        self._threads = threads
        self._sources = Sources(settings.source)
        self._twins = Twins(open_store(settings.plan))
        self._to = open_store(settings.to) if settings.to else None
        at = self._to.path("") if self._to is not None else None
        self._workshop = Workshop(at)
        self._editor = self._opened()
        self._video: VideoEnhancer | None = None
        self._options = Options(
            adjust=self._recipe.adjust,
            format=self._recipe.format,
            quality=self._recipe.quality,
            strip=self._recipe.strip,
            salvage=self._recipe.salvage,
            overwrite=True,
            times=at is not None,
            transcoding=Transcoding(
                coding=Coding(self._recipe.codec, self._recipe.crf, self._recipe.preset),
                sdr=self._recipe.sdr,
            ),
        )

    def close(self) -> None:
        """Take the workshop away."""
        self._workshop.close()

    def describe(self) -> str:
        """Model, runtime and device, for a person."""
        return self._editor.describe()

    def bench(self) -> Path:
        """A new folder for one photo."""
        return self._workshop.new()

    def fetch(self, row: Row, bench: Path) -> Fetched | Receipt:
        """The source of a key, or the receipt that it cannot be had."""
        try:
            return self._sources.fetch(row, bench)
        except UndarkError as error:
            return self._failed(row, error, perf_counter())

    def make(
        self, row: Row, fetched: Fetched, bench: Path, *, resumed: bool, patient: bool
    ) -> Made | Receipt | Waiting:
        """The result of a photo or video.

        Args:
            row: The key.
            fetched: Its source.
            bench: Folder for what is made.
            resumed: Somebody may have made and published it already.
            patient: Wait for another who makes the same.
        """
        begin = perf_counter()
        name = result_name(row.name, self._recipe.format)
        if is_animated(fetched.path):
            name = row.name
        identity = self._recipe.identity(fetched.sha256, name)
        receipt = Receipt(row.row, row.key, identity, name, note=fetched.note)
        try:
            if self._recipe.task == METRICS:
                return self._measured(row, fetched, bench, replace(receipt, output=""), begin)
            there = self._there(receipt, fetched, bench) if resumed else None
            if there is not None:
                return _stamped(there, begin)
            if row.twin:
                found = self._of_twin(row, receipt, fetched, bench, patient=patient)
                if found is not None:
                    return found
            return self._enhanced(row, receipt, fetched, bench, begin)
        except TroubleError:
            raise
        except UndarkError as error:
            return self._failed(row, error, begin, identity)

    def publish(self, made: Made, bench: Path) -> Receipt:
        """Put a result where it belongs, and tell those who wait for it.

        Raises:
            TroubleError: It cannot be put there.
        """
        receipt, to = made.receipt, self._to
        assert to is not None
        try:
            if not to.publish(made.path, receipt.output):
                there = self._there(receipt, made, bench)
                if there is not None:
                    receipt = replace(
                        receipt, sha256=there.sha256, bytes=there.bytes, note=there.note
                    )
                elif self._settings.overwrite or self._is_ours(receipt, made, bench):
                    to.replace(made.path, receipt.output)
                else:
                    shown = f"{to.address}/{receipt.output}"
                    raise _ForeignError(
                        f"{shown}: exists, and undark did not write it; name another place, or"
                        " have it replaced",
                        argument="overwrite",
                    )
            if made.twin:
                self._tell_twins(receipt)
        except _ForeignError as error:
            return replace(
                receipt, output="", sha256="", bytes=0, kind="OutputError", error=str(error)
            )
        except OutputError as error:
            raise TroubleError(str(error)) from error
        return replace(receipt, at=time.time())

    def _opened(self) -> Enhancer:
        recipe = self._recipe
        editor = Enhancer(
            self._settings.model_at,
            runtime=recipe.runtime,
            device=recipe.device,  # pyright: ignore[reportArgumentType] - as it was resolved
            threads=self._threads,
            precision="exact",
        )
        if editor.card.sha256 != recipe.sha256:
            raise TroubleError(f"{recipe.model}: its weights here are not those of the run")
        return editor

    def _clips(self) -> VideoEnhancer:
        if self._video is None:
            self._video = VideoEnhancer(
                self._settings.clips_at,
                quality=self._recipe.video_quality,  # pyright: ignore[reportArgumentType]
                adjust=self._recipe.adjust,
                runtime=self._recipe.runtime,
                device=self._recipe.device,  # pyright: ignore[reportArgumentType]
                threads=self._threads,
                precision="exact",
            )
        return self._video.fork()

    def _enhanced(
        self, row: Row, receipt: Receipt, fetched: Fetched, bench: Path, begin: float
    ) -> Made | Receipt:
        target = _target(bench, receipt.output)
        editor = self._clips() if is_video(fetched.path) else self._editor
        ended = enhance_one(Pair(fetched.path, target), editor, self._options)
        if isinstance(ended, Failed):
            cause = ended.error.__cause__
            broken = isinstance(cause, OSError) and cause.errno in _TROUBLE
            if broken and isinstance(ended.error, OutputError):
                raise TroubleError(str(ended.error)) from ended.error
            if row.twin:
                self._tell_twins(replace(receipt, output=""))
            text = str(ended.error).replace(str(fetched.path), row.key)
            text = text.replace(str(target), receipt.output)
            return self._failed(row, type(ended.error)(text), begin, receipt.identity)
        made = replace(receipt, sha256=file_digest(target), bytes=target.stat().st_size)
        return Made(_stamped(made, begin), target, fetched.sha256, row.twin)

    def _measured(
        self, row: Row, fetched: Fetched, bench: Path, receipt: Receipt, begin: float
    ) -> Receipt:
        truth = None
        if row.truth:
            truth = self._sources.get(row.truth, bench, "truth").path
        text, digest = measured(self._editor, fetched.path, truth, self._recipe.adjust)
        return _stamped(replace(receipt, metrics=text, sha256=digest), begin)

    def _there(self, receipt: Receipt, source: Fetched | Made, bench: Path) -> Receipt | None:
        """The receipt of what is published already, if that is what is wanted."""
        path = self._look(receipt, bench)
        if path is None:
            return None
        found = file_digest(path)
        size = path.stat().st_size
        if isinstance(source, Made) and found == source.receipt.sha256:
            return replace(receipt, sha256=found, bytes=size)
        digest = source.sha256 if isinstance(source, Fetched) else source.digest
        same = self._verdict(path, digest) == "same"
        return replace(receipt, sha256=found, bytes=size) if same else None

    def _is_ours(self, receipt: Receipt, made: Made, bench: Path) -> bool:
        """Whether undark wrote what is there, otherwise than is wanted now."""
        path = self._look(receipt, bench)
        return path is not None and self._verdict(path, made.digest) == "other"

    def _verdict(self, path: Path, digest: str) -> str:
        kind = self._recipe.format or suffix_format(path)
        mute = "" if kind is not None and FORMATS[kind].xmp and not is_animated(path) else "mute"
        recording = self._options.record
        return standing(
            path, self._recipe.wanted(), lambda: digest, mute=mute, recording=recording
        ).verdict

    def _look(self, receipt: Receipt, bench: Path) -> Path | None:
        """What is published under a result's name, on this machine's disk."""
        assert self._to is not None
        path = self._to.path(receipt.output)
        if path is not None:
            return path if path.is_file() else None
        path = _target(bench, receipt.output, "there")
        try:
            self._to.fetch(receipt.output, path)
        except FileNotFoundError:
            return None
        return path

    def _of_twin(
        self, row: Row, receipt: Receipt, fetched: Fetched, bench: Path, *, patient: bool
    ) -> Made | Waiting | None:
        """The result of the same bytes under another key; None where this key is to make it."""
        assert self._to is not None
        begin = perf_counter()
        first = self._twins.find(receipt.identity)
        if first is None:
            won = self._twins.claim(receipt.identity, row)
            return Waiting() if not won and patient else None
        if first.output in ("", receipt.output):
            return None
        target = _target(bench, receipt.output)
        with suppress(FileNotFoundError):
            self._to.fetch(first.output, target)
            if file_digest(target) == first.sha256:
                if self._options.times:
                    shutil.copystat(fetched.path, target)
                copied = replace(receipt, sha256=first.sha256, bytes=first.bytes, copied=True)
                return Made(_stamped(copied, begin), target, fetched.sha256, twin=False)
        return None

    def _tell_twins(self, receipt: Receipt) -> None:
        made = Original(receipt.output, receipt.sha256, receipt.bytes)
        self._twins.tell(receipt.identity, made)

    def _failed(self, row: Row, error: UndarkError, begin: float, identity: str = "") -> Receipt:
        text = " ".join(str(error).split())
        kind = type(error).__name__
        return _stamped(Receipt(row.row, row.key, identity, kind=kind, error=text), begin)


class _ForeignError(OutputError):
    """Something that undark did not write lies where a result belongs."""


def _stamped(receipt: Receipt, begin: float) -> Receipt:
    return replace(receipt, seconds=round(perf_counter() - begin, 4), at=time.time())


def _target(bench: Path, output: str, folder: str = "made") -> Path:
    """Where a result is made; its suffix says its format, and no key is too long for a disk."""
    path = bench / folder / f"result{Path(output).suffix}"
    path.parent.mkdir(exist_ok=True)
    return path
