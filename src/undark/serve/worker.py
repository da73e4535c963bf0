"""The worker process: does one task at a time, and says how far it is.

Files of strangers are decoded here and nowhere else: where a decoder crashes, this process ends,
the task fails with a line, and the server lives.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic

from undark.adjust import Adjust
from undark.engine.editor import Editor
from undark.engine.enhancer import Enhancer
from undark.engine.frames import Quality
from undark.engine.video import DEFAULT_MODEL, VideoEnhancer
from undark.errors import UndarkError, UnreadableError
from undark.io.photo import measure_photo
from undark.io.video.coding import Coding
from undark.io.video.options import Transcoding
from undark.io.walk import is_video, plan
from undark.jobs import Done, Failed, Notice, Options, Progress, Started, enhance_one
from undark.jobs.one import worded
from undark.serve.previews import Previews, probe
from undark.serve.settings import Engine, Limits
from undark.serve.tasks import (
    Enhance,
    Failure,
    Finished,
    Measure,
    Message,
    Moved,
    Noticed,
    Probe,
    Result,
    Stop,
    Task,
    Value,
    failure_of,
)

__all__ = ["Models", "run_worker"]

_KEPT_MODELS = 2
_TELL_EVERY = 0.1  # Seconds.
_NICER = 5


class _StoppedError(BaseException):
    """The task was stopped."""


class Models:
    """The models that are in memory, the last used ones.

    Args:
        engine: What runs them.
    """

    def __init__(self, engine: Engine) -> None:
        """None is loaded yet."""
        self._engine = engine
        self._open: OrderedDict[str, Enhancer] = OrderedDict()

    def photo(self, model: str) -> Enhancer:
        """The model for photos.

        Raises:
            ModelError: No such model, or its files do not fit together.
            DeviceError: The runtime or device is not there.
        """
        if model not in self._open:
            engine = self._engine
            self._open[model] = Enhancer(
                Path(model) if model.endswith(".onnx") else model,
                runtime=engine.runtime,
                device=engine.device,
                threads=engine.threads,
                precision=engine.precision,
            )
            while len(self._open) > _KEPT_MODELS:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(model)
        return self._open[model]

    def video(self, model: str, adjust: Adjust, quality: Quality) -> VideoEnhancer:
        """A VideoEnhancer for one clip; errors as for `photo`."""
        name = DEFAULT_MODEL if model == "default" else model
        return VideoEnhancer(self.photo(name), adjust=adjust, quality=quality)


def run_worker(connection: Connection, engine: Engine, limits: Limits, *, polite: bool) -> None:
    """Do the tasks that come, until the other end closes.

    Args:
        connection: To the server; see :mod:`undark.serve.tasks`.
        engine: What runs the models.
        limits: How much is taken.
        polite: Let other processes go first.
    """
    # Ctrl-C reaches all processes of a console; the server ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if polite and sys.platform != "win32":
        os.nice(_NICER)
    models = Models(engine)
    previews = Previews(models.photo, models.video, limits)
    with contextlib.suppress(EOFError, OSError):
        while True:
            task: Task | Stop = connection.recv()
            if isinstance(task, Stop):  # it came as the last task was done
                continue
            connection.send(_done(task, connection, models, previews, limits))


def _done(
    task: Task, connection: Connection, models: Models, previews: Previews, limits: Limits
) -> Message:
    heard = monotonic()

    def tell(message: Message) -> None:
        nonlocal heard
        if connection.poll():
            connection.recv()  # nothing but Stop comes while a task is worked on
            raise _StoppedError
        now = monotonic()
        if not isinstance(message, Moved) or now - heard > _TELL_EVERY:
            heard = now
            connection.send(message)

    try:
        return Finished(_worked(task, models, previews, limits, tell))
    except _StoppedError:
        return Failure("StoppedError", "stopped", stopped=True)
    except Exception as error:
        return _failure(worded(task.source, error), task)


def _worked(
    task: Task,
    models: Models,
    previews: Previews,
    limits: Limits,
    tell: Callable[[Message], None],
) -> Value:
    match task:
        case Enhance():
            return _enhanced(task, models, limits, tell)
        case Measure():
            if is_video(task.source):
                facts, _ = probe(task.source, limits)
                return facts.width * facts.height
            return math.prod(measure_photo(task.source))
        case Probe():
            found, photo = probe(task.source, limits)
            if photo is not None:
                previews.keep(task.source, photo)
            return found
        case _:
            return previews.show(task, lambda fraction: tell(Moved(fraction, None)))


def _enhanced(
    task: Enhance, models: Models, limits: Limits, tell: Callable[[Message], None]
) -> Result:
    (pair,) = plan([task.source], output=f"{task.folder}{os.sep}", format=task.format)
    editor: Editor | VideoEnhancer
    if is_video(task.source):
        adjust = Adjust(**task.adjust)
        editor = models.video(task.model, adjust, task.video_quality)
        options = Options(
            strip=task.strip,
            transcoding=Transcoding(
                Coding(task.codec, task.crf, task.preset, bits=task.bits), task.begin, task.end
            ),
        )
    else:
        editor = models.photo(task.model)
        options = Options(
            adjust=Adjust(**task.adjust),
            max_pixels=limits.pixels,
            format=task.format,
            quality=task.quality,
            strip=task.strip,
            record=task.record,
            salvage=task.salvage,
            times=False,
        )

    def notify(event: Started | Progress | Notice) -> None:
        if isinstance(event, Notice):
            tell(Noticed(_clean(event.text, task)))
        else:
            fraction = event.fraction if isinstance(event, Progress) else 0.0
            tell(Moved(fraction, event.fps if isinstance(event, Progress) else None))

    receipt = enhance_one(pair, editor, options, notify=notify)
    if isinstance(receipt, Done):
        return Result(receipt.destination, receipt.seconds)
    raise receipt.error if isinstance(receipt, Failed) else UnreadableError("was left as it is")


def _failure(error: UndarkError, task: Task) -> Failure:
    found = failure_of(error)
    return replace(found, message=_clean(found.message, task))


def _clean(text: str, task: Task) -> str:
    """The line with the client's own names in the place of the server's paths."""
    text = text.replace(str(task.source), task.label)
    if isinstance(task, Enhance):
        result = f"{task.folder}{os.sep}{task.source.stem}"
        text = text.replace(result, Path(task.label).stem or task.label)
        text = text.replace(str(task.folder), "the result")
    return text.replace(f"{task.source.parent}{os.sep}", "")
