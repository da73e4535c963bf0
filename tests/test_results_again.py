"""What is done with a result that is there already: by what its record says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from small_models import steps_model
from undark.adjust import Adjust
from undark.engine.editor import StepsEditor
from undark.engine.enhancer import Enhancer
from undark.engine.video import VideoEnhancer
from undark.io.record import find_record
from undark.io.walk import Pair
from undark.jobs import Done, Event, Failed, Job, Notice, Options, Skipped, enhance_one
from undark.pixels.steps import Step

__all__ = ["steps_model"]

Write = Callable[..., Path]


@pytest.fixture
def enhancer(gain_model: Path) -> Enhancer:
    return Enhancer(gain_model, runtime="onnxruntime", device="cpu", threads=1)


def mean(path: Path) -> float:
    with Image.open(path) as image:
        return float(np.asarray(image).mean())


class Told(list[str]):
    """The notices of a run."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, Notice):
            self.append(event.text)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif", ".heic"])
def test_what_was_made_so_is_skipped_and_what_was_made_otherwise_done_again(
    suffix: str, tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    pair = Pair(dark_photo(tmp_path / "a.png"), tmp_path / f"b{suffix}")
    assert isinstance(enhance_one(pair, enhancer), Done)
    before = pair.destination.read_bytes()
    told = Told()
    assert enhance_one(pair, enhancer, notify=told) == Skipped(pair.source, pair.destination)
    assert (pair.destination.read_bytes(), told) == (before, [])

    half = Options(Adjust(strength=0.5))
    assert isinstance(enhance_one(pair, enhancer, half, notify=told), Done)
    assert pair.destination.read_bytes() != before
    assert len(told) == 1
    assert "made otherwise (strength 1, now 0.5); done again" in told[0]
    assert isinstance(enhance_one(pair, enhancer, half), Skipped)


def test_a_changed_source_model_or_quality_counts(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    pair = Pair(dark_photo(tmp_path / "a.png"), tmp_path / "b.jpg")
    enhance_one(pair, enhancer)
    steps = StepsEditor([Step("exposure", 1.0)])
    for editor, options, says in (
        (enhancer, Options(quality=40), "quality as the photo's, now 40"),
        (steps, Options(quality=40), "model gain, now steps"),
        (StepsEditor([Step("exposure", 2.0)]), Options(quality=40), "other weights of steps"),
    ):
        told = Told()
        assert isinstance(enhance_one(pair, editor, options, notify=told), Done)
        assert says in told[0]
        assert isinstance(enhance_one(pair, editor, options), Skipped)
    enhance_one(pair, enhancer)
    dark_photo(pair.source, level=30)
    told = Told()
    assert isinstance(enhance_one(pair, enhancer, notify=told), Done)
    assert "the source has changed" in told[0]


def test_any_runtime_will_do_unless_one_is_asked_for(
    tmp_path: Path, gain_model: Path, dark_photo: Write
) -> None:
    pair = Pair(dark_photo(tmp_path / "a.png"), tmp_path / "b.png")
    vino, onnx, either = (
        Enhancer(gain_model, runtime=r) for r in ("openvino", "onnxruntime", "auto")
    )
    assert isinstance(enhance_one(pair, vino), Done)
    assert isinstance(enhance_one(pair, either), Skipped)
    assert isinstance(enhance_one(pair, onnx), Done)
    assert isinstance(enhance_one(pair, either), Skipped)


def test_a_file_that_undark_did_not_write_is_never_touched(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    source = dark_photo(tmp_path / "a.png")
    theirs = dark_photo(tmp_path / "out" / "a.png", level=99)
    before = theirs.read_bytes()
    receipt = enhance_one(Pair(source, theirs), enhancer)
    assert isinstance(receipt, Failed)
    assert "undark did not write it" in str(receipt.error)
    assert receipt.error.argument == "overwrite"
    assert theirs.read_bytes() == before
    assert isinstance(enhance_one(Pair(source, theirs), enhancer, Options(overwrite=True)), Done)
    assert isinstance(enhance_one(Pair(source, theirs), enhancer), Skipped)


def test_what_can_carry_no_record_is_skipped_and_that_is_said(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write, gain_model: Path
) -> None:
    pair = Pair(dark_photo(tmp_path / "a.png"), tmp_path / "a.bmp")
    enhance_one(pair, enhancer)
    receipt = enhance_one(pair, enhancer, Options(Adjust(strength=0.5)))
    assert isinstance(receipt, Skipped)
    assert "BMP files carry no record" in receipt.reason
    clip = Pair(tmp_path / "a.mp4", tmp_path / "b.mp4")
    clip.source.touch()
    clip.destination.touch()
    receipt = enhance_one(clip, VideoEnhancer(gain_model))
    assert isinstance(receipt, Skipped)
    assert "videos carry no record" in receipt.reason


def test_without_records_results_are_skipped_whoever_made_them(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    pair = Pair(dark_photo(tmp_path / "a.png"), tmp_path / "b.png")
    bare = Options(record=False)
    assert isinstance(enhance_one(pair, enhancer, bare), Done)
    assert find_record(pair.destination) is None
    assert b"undark" not in pair.destination.read_bytes()
    receipt = enhance_one(pair, enhancer, bare)
    assert isinstance(receipt, Skipped)
    assert receipt.reason
    assert isinstance(enhance_one(pair, enhancer), Failed)
    enhance_one(pair, enhancer, Options(overwrite=True))
    told = Told()
    assert isinstance(enhance_one(pair, enhancer, bare, notify=told), Done)
    assert "it carries a record" in told[0]
    assert find_record(pair.destination) is None


def test_in_place_is_done_once(tmp_path: Path, enhancer: Enhancer, dark_photo: Write) -> None:
    photo = dark_photo(tmp_path / "a.png")
    pair = Pair(photo, photo)
    assert isinstance(enhance_one(pair, enhancer), Done)
    before = photo.read_bytes()
    assert isinstance(enhance_one(pair, enhancer), Skipped)
    assert photo.read_bytes() == before
    told = Told()
    brighter = Options(Adjust(exposure=0.5))
    assert isinstance(enhance_one(pair, enhancer, brighter, notify=told), Done)
    assert len(told) == 1
    assert "its source is gone" in told[0]
    assert isinstance(enhance_one(pair, enhancer, brighter), Skipped)
    assert isinstance(enhance_one(pair, enhancer, replace(brighter, overwrite=True)), Done)

    bitmap = dark_photo(tmp_path / "a.bmp")
    told = Told()
    assert isinstance(enhance_one(Pair(bitmap, bitmap), enhancer, notify=told), Done)
    assert "do not do it twice" in told[0]


def test_a_result_of_a_result_says_so(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    first = Pair(dark_photo(tmp_path / "a.png"), tmp_path / "b.png")
    enhance_one(first, enhancer)
    told = Told()
    enhance_one(Pair(first.destination, tmp_path / "c.png"), enhancer, notify=told)
    assert told == ["is a result of undark's already (gain); this comes on top of it"]
    record = find_record(tmp_path / "c.png")
    assert record is not None
    assert record.source != find_record(first.destination).source  # type: ignore[union-attr]


def test_the_same_photo_made_so_is_the_same_file_anywhere(
    tmp_path: Path, gain_model: Path, dark_photo: Write
) -> None:
    results: list[bytes] = []
    for number, name in enumerate(("a.jpg", "elsewhere/deep/other.jpg")):
        source = dark_photo(tmp_path / name)
        os.utime(source, (number, number))
        destination = source.with_name("out.jpg")
        enhance_one(Pair(source, destination), Enhancer(gain_model, runtime="onnxruntime"))
        results.append(destination.read_bytes())
    command = [sys.executable, "-m", "undark.cli.app", "enhance", tmp_path / "a.jpg"]
    options = ["-m", gain_model, "--runtime", "onnxruntime", "-o", tmp_path / "by-command.jpg"]
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=60)
    results.append((tmp_path / "by-command.jpg").read_bytes())
    assert len(set(results)) == 1
    assert str(tmp_path).encode() not in results[0]


def test_times_are_kept_unless_they_are_not_wanted(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    source = dark_photo(tmp_path / "a.png")
    then = 1_234_567_890_123_456_789
    os.utime(source, ns=(then, then))
    enhance_one(Pair(source, tmp_path / "b.png"), enhancer)
    assert (tmp_path / "b.png").stat().st_mtime_ns == then
    enhance_one(Pair(source, tmp_path / "c.png"), enhancer, Options(times=False))
    assert (tmp_path / "c.png").stat().st_mtime_ns > then
    enhance_one(Pair(source, source), enhancer)
    assert source.stat().st_mtime_ns == then


def test_steps_are_told_of_what_is_skipped_too(
    tmp_path: Path, steps_model: Path, dark_photo: Write
) -> None:
    editor = Enhancer(steps_model)
    pair = Pair(dark_photo(tmp_path / "a.png"), tmp_path / "b.png")
    explain = Options(explain=True)
    done = enhance_one(pair, editor, explain)
    assert isinstance(done, Done)
    assert done.steps
    skipped = enhance_one(pair, editor, explain)
    assert isinstance(skipped, Skipped)
    assert skipped.steps == done.steps
    in_place = Pair(pair.source, pair.source)
    enhance_one(in_place, editor, explain)
    told = Told()
    skipped = enhance_one(in_place, editor, explain, notify=told)
    assert isinstance(skipped, Skipped)
    assert skipped.steps is None
    assert "cannot be told" in told[0]


def test_no_model_is_opened_where_there_is_no_work(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    sources = [dark_photo(tmp_path / f"{number}.png") for number in range(3)]
    pairs = [Pair(source, tmp_path / "out" / source.name) for source in sources]
    opened: list[int] = []

    def open_it() -> Enhancer:
        opened.append(1)
        return enhancer

    def job() -> Job:
        missing = Pair(tmp_path / "none.png", tmp_path / "out" / "none.png")
        return Job([*pairs, missing], open_it, wanted=enhancer.wanted(Adjust()))

    events = list(job().run())
    assert isinstance(events[0], Failed), "what is missing is told before a model is opened"
    assert opened == [1]
    again = job()
    assert [type(event) for event in again.run()] == [Skipped, Skipped, Skipped, Failed]
    assert opened == [1]
    assert (again.summary.skipped, again.summary.failed) == (3, 1)


@pytest.mark.skipif(os.name == "nt", reason="a process is not killed so on Windows")
def test_what_a_killed_run_left_is_removed_and_what_another_writes_stays(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    pair = Pair(dark_photo(tmp_path / "in" / "a.png"), tmp_path / "out" / "a.png")
    program = (
        "import sys, time; from pathlib import Path\n"
        "from undark.io.atomic import write_atomically\n"
        "def slow(file): file.write(b'half'); file.flush(); print(flush=True); time.sleep(60)\n"
        "write_atomically(Path(sys.argv[1]), slow)\n"
    )

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", program, str(pair.destination)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def parts() -> list[str]:
        return sorted(path.name for path in pair.destination.parent.glob(".*"))

    killed = start()
    killed.kill()
    killed.communicate()
    (left,) = parts()
    alive = start()
    try:
        (pair.destination.parent / ".mine").touch()
        list(Job([pair], enhancer).run())
        (mine, other) = parts()
        assert (mine, other != left) == (".mine", True) or (other, mine != left) == (".mine", True)
        assert mean(pair.destination) > 60
    finally:
        alive.kill()
        alive.communicate()
    list(Job([pair], enhancer).run())
    assert parts() == [".mine"]
