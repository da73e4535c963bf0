"""`undark enhance`: dark photos and videos in, bright ones out."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from undark.cli.clock import seconds
from undark.cli.editing import StepsFiles, record, run_job, tell_steps
from undark.cli.opening import Engine, open_enhancer, open_video
from undark.cli.options import (
    Begin,
    Codec,
    Crf,
    Debug,
    Denoise,
    Device,
    End,
    Explain,
    Exposure,
    Format,
    Fps,
    InPlace,
    Inputs,
    Jobs,
    Json,
    Local,
    Model,
    Output,
    Overwrite,
    Precision,
    Preset,
    Preview,
    Quality,
    Recursive,
    Runtime,
    SaveSteps,
    Strength,
    Strip,
    Threads,
)
from undark.cli.shell import command, result, result_json, say
from undark.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from undark.adjust import Adjust
    from undark.engine.enhancer import Enhancer
    from undark.io.walk import Pair
    from undark.jobs import Options
    from undark.pixels.steps import Step

__all__ = ["enhance"]

_STDIN = "-"


@command
def enhance(
    inputs: Inputs,
    *,
    output: Output = None,
    model: Model = "default",
    strength: Strength = 1.0,
    exposure: Exposure = 0.0,
    denoise: Denoise = None,
    local: Local = 1.0,
    recursive: Recursive = False,
    overwrite: Overwrite = False,
    in_place: InPlace = False,
    explain: Explain = False,
    save_steps: SaveSteps = None,
    begin: Begin = None,
    end: End = None,
    preview: Preview = None,
    codec: Codec = None,
    crf: Crf = None,
    preset: Preset = None,
    fps: Fps = 25.0,
    as_json: Json = False,
    jobs: Jobs = 1,
    threads: Threads = None,
    format: Format = None,
    quality: Quality = None,
    strip: Strip = None,
    device: Device = "auto",
    runtime: Runtime = "auto",
    precision: Precision = "auto",
    debug: Debug = False,
) -> None:
    """Enhance dark photos and videos.

    Each result's path is written on stdout. Results that already exist are skipped.
    """
    from undark.io.formats import format_named

    written = None if format is None else format_named(format)
    engine = Engine(runtime=runtime, device=device, threads=threads, precision=precision)
    asked = _Asked(model, engine, strength, exposure, denoise, local, explain, save_steps)
    if _STDIN in inputs:
        if len(inputs) > 1:
            raise UsageError("- (stdin) cannot be mixed with other inputs")
        if in_place:
            raise UsageError("- (stdin) cannot be replaced in place; leave out --in-place")
        _Stream(output, written, quality, overwrite, as_json, strip=strip).run(asked)
        return

    from undark.io.video.coding import Coding
    from undark.io.video.options import Transcoding
    from undark.io.walk import plan
    from undark.jobs import Options

    transcoding = Transcoding(
        coding=Coding(codec, crf, preset),
        begin=seconds(begin, "--from") or 0.0,
        end=seconds(end, "--to"),
        preview=preview,  # pyright: ignore[reportArgumentType]
        fps=fps,
    )
    pairs = plan(inputs, output=output, recursive=recursive, format=written, in_place=in_place)
    options = Options(
        format=written,
        quality=quality,
        overwrite=overwrite or in_place,
        strip=strip,
        transcoding=transcoding,
    )
    _run(pairs, asked, options, workers=jobs, as_json=as_json, debug=debug)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to enhance, and how."""

    model: str
    engine: Engine
    strength: float
    exposure: float
    denoise: float | None
    local: float
    explain: bool
    save_steps: Path | None

    @property
    def in_steps(self) -> bool:
        """Whether the steps are wanted, to be shown or kept."""
        return self.explain or self.save_steps is not None

    def adjust(self, enhancer: Enhancer | None) -> Adjust:
        """What is asked of photos: to denoise only where the model can be asked that."""
        from undark.adjust import Adjust

        heeds = enhancer is not None and "denoise" in enhancer.controls
        denoise = self.denoise if heeds and self.denoise is not None else 1.0
        return Adjust(
            strength=self.strength, exposure=self.exposure, denoise=denoise, local=self.local
        )

    def open(self, *, only_photos: bool) -> Enhancer:
        """The model for photos.

        Where there are videos too, how they are denoised is no matter of it.
        """
        enhancer = open_enhancer(self.model, self.engine)
        if self.in_steps and not enhancer.works_in_steps:
            raise UsageError(
                f"the model {enhancer.card.name} does not work in steps;"
                " leave out --explain and --save-steps"
            )
        if only_photos and self.denoise is not None and "denoise" not in enhancer.controls:
            raise UsageError(
                f"the model {enhancer.card.name} does not let you choose how much to denoise;"
                " leave out --denoise"
            )
        if self.local != 1.0 and "local" not in enhancer.controls:
            raise UsageError(
                f"the model {enhancer.card.name} does not light places apart; leave out --local"
            )
        return enhancer

    def files(self, destinations: Sequence[Path]) -> StepsFiles | None:
        """Where the steps of photos that become `destinations` are kept, if they are."""
        return None if self.save_steps is None else StepsFiles(self.save_steps, destinations)


def _run(
    pairs: Sequence[Pair],
    asked: _Asked,
    options: Options,
    *,
    workers: int,
    as_json: bool,
    debug: bool,
) -> None:
    """Enhance files."""
    from undark.io.walk import is_video
    from undark.jobs import Done, Job

    files = asked.files([pair.destination for pair in pairs])
    videos = sum(is_video(pair.source) for pair in pairs)
    enhancer = asked.open(only_photos=not videos) if videos < len(pairs) else None
    video = None
    if videos:
        video = open_video(
            asked.model,
            asked.engine,
            shared=enhancer,
            strength=asked.strength,
            exposure=asked.exposure,
            denoise=asked.denoise or 0.0,
            local=asked.local,
        )
    options = replace(options, adjust=asked.adjust(enhancer), explain=asked.in_steps)
    job = Job(pairs, enhancer, video=video, options=options, workers=workers)

    def done(event: Done) -> None:
        _keep(event.source, event.destination, event.steps, asked.explain, files)

    run_job(job, pairs, as_json=as_json, debug=debug, done=done)


def _keep(
    source: Path | str,
    destination: Path,
    steps: Sequence[Step] | None,
    explain: bool,
    files: StepsFiles | None,
) -> None:
    if explain and steps is not None:
        tell_steps(source, steps)
    if files is not None and steps is not None:
        files.write(destination, steps)


class _Stream:
    """A photo from stdin to stdout, or to a file."""

    def __init__(
        self,
        output: Path | None,
        format: str | None,
        quality: int | None,
        overwrite: bool,
        as_json: bool,
        *,
        strip: str | None,
    ) -> None:
        from undark.io.strip import check_strip

        check_strip(strip)
        self._strip = strip
        self._output = output
        self._format = format
        self._quality = quality
        self._overwrite = overwrite
        self._as_json = as_json

    def run(self, asked: _Asked) -> None:
        """Read, enhance and write the photo; wrong usage is refused first.

        Raises:
            UsageError: The photo and something else, or a console, would share stdout, or the
                output is a folder.
        """
        files = asked.files([Path("stdin")])
        self._check()
        self._enhance(asked.open(only_photos=True), asked, files)

    def _check(self) -> None:
        if self._output is None:
            if self._as_json:
                raise UsageError("the photo goes to stdout, and so would --json; add -o FILE")
            if sys.stdout.isatty():
                raise UsageError("a console cannot show the photo; redirect it or add -o FILE")
        elif self._output.is_dir():
            raise UsageError(f"{self._output}: a folder; a photo from stdin needs -o FILE")

    def _enhance(self, enhancer: Enhancer, asked: _Asked, files: StepsFiles | None) -> None:
        from undark.io.photo import encode_photo, read_photo, write_photo
        from undark.io.strip import stripped

        output = self._output
        if output is not None and output.exists() and not self._overwrite:
            say(f"{output}: skipped, it already exists (--overwrite replaces it)")
            if self._as_json:
                result_json(record(_STDIN, output, "skipped", 0.0))
            return
        begin = perf_counter()
        photo = read_photo(sys.stdin.buffer.read(), name="stdin")
        steps = enhancer.steps(photo) if asked.in_steps else None
        _keep("stdin", Path("stdin"), steps, asked.explain, files)
        photo = stripped(enhancer.enhance(photo, adjust=asked.adjust(enhancer)), self._strip)
        if output is None:
            content = encode_photo(photo, format=self._format, quality=self._quality)
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
            return
        write_photo(
            photo,
            output,
            format=self._format,
            quality=self._quality,
            overwrite=self._overwrite,
        )
        if self._as_json:
            seconds = perf_counter() - begin
            result_json(record(_STDIN, output, "done", seconds, steps=steps))
        else:
            result(str(output))
