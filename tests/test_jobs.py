from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from undark.adjust import Adjust
from undark.engine.enhancer import Enhancer
from undark.errors import DeviceError, InputError, UndarkError, UsageError
from undark.io.walk import Pair
from undark.jobs import (
    Done,
    Event,
    Failed,
    Job,
    Options,
    Progress,
    Skipped,
    Started,
    Summary,
    enhance_one,
)

Write = Callable[..., Path]


@pytest.fixture
def enhancer(gain_model: Path) -> Enhancer:
    return Enhancer(gain_model, runtime="onnxruntime", device="cpu", threads=1)


def pair(folder: Path, name: str) -> Pair:
    return Pair(folder / name, folder / "out" / name)


def mean(path: Path) -> float:
    with Image.open(path) as image:
        return float(np.asarray(image).mean())


def last_words(events: list[Event]) -> dict[str, type]:
    return {
        event.source.name: type(event)
        for event in events
        if isinstance(event, Done | Skipped | Failed)
    }


@pytest.mark.parametrize("workers", [1, 3])
def test_every_photo_is_done_with_its_events_in_order(
    workers: int, tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    pairs = [pair(tmp_path, f"{number}.png") for number in range(5)]
    for item in pairs:
        dark_photo(item.source)
    job = Job(pairs, enhancer, workers=workers)
    events = list(job.run())
    assert job.summary == Summary(done=5)
    for item in pairs:
        own = [event for event in events if event.source == item.source]
        assert isinstance(own[0], Started)
        assert isinstance(own[-1], Done)
        assert own[-1].seconds > 0
        shares = [event.fraction for event in own if isinstance(event, Progress)]
        assert shares == sorted(shares)
        assert shares[-1] == 1
        assert mean(item.destination) > 3 * mean(item.source)


def test_options_reach_the_photo(tmp_path: Path, enhancer: Enhancer, dark_photo: Write) -> None:
    item = Pair(dark_photo(tmp_path / "a.png"), tmp_path / "a.jpg")
    adjust = Adjust(strength=0.0, exposure=1.0)
    list(Job([item], enhancer, options=Options(adjust, format="JPEG", quality=80)).run())
    with Image.open(item.destination) as image:
        assert image.format == "JPEG"
    assert 1.2 * mean(item.source) < mean(item.destination) < 3 * mean(item.source)


def test_one_bad_input_does_not_stop_the_others(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    names = ["a.png", "empty.png", "missing.png", "text.jpg", "z.png"]
    dark_photo(tmp_path / "a.png")
    dark_photo(tmp_path / "z.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("not a picture", encoding="utf-8")
    job = Job([pair(tmp_path, name) for name in names], enhancer)
    events = list(job.run())
    assert job.summary == Summary(done=2, failed=3)
    for event in events:
        if isinstance(event, Failed):
            assert isinstance(event.error, InputError)
            assert event.source.name in str(event.error)
            assert "\n" not in str(event.error)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "z.png"]


def test_what_is_done_is_skipped_and_redone_only_when_asked(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    pairs = [pair(tmp_path, "a.png"), pair(tmp_path, "b.png")]
    for item in pairs:
        dark_photo(item.source)
    list(Job(pairs[:1], enhancer).run())
    before = pairs[0].destination.read_bytes()

    job = Job(pairs, enhancer)
    assert last_words(list(job.run())) == {"a.png": Skipped, "b.png": Done}
    assert job.summary == Summary(done=1, skipped=1)
    assert job.summary.total == 2
    assert pairs[0].destination.read_bytes() == before

    pairs[0].destination.write_bytes(b"mine")
    job = Job(pairs, enhancer)
    assert last_words(list(job.run())) == {"a.png": Failed, "b.png": Skipped}
    assert pairs[0].destination.read_bytes() == b"mine"

    job = Job(pairs, enhancer, options=Options(overwrite=True))
    list(job.run())
    assert job.summary == Summary(done=2)
    assert pairs[0].destination.read_bytes() == before


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("two\nlines"), "unexpected RuntimeError: two lines"),
        (KeyError(), "unexpected KeyError: no reason given"),
        (DeviceError("the device left"), "the device left"),
    ],
)
def test_any_error_becomes_one_line(
    raised: Exception, words: str, tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    item = pair(tmp_path, "a.png")
    dark_photo(item.source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enhancer, "enhance", Mock(side_effect=raised))
        (event,) = [event for event in Job([item], enhancer).run() if isinstance(event, Failed)]
    assert isinstance(event.error, UndarkError)
    assert words in str(event.error)
    assert "\n" not in str(event.error)
    assert event.error is raised or event.error.__cause__ is raised


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_stopped_anywhere_leaves_whole_files_and_goes_on(
    workers: int, tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    pairs = [pair(tmp_path, f"{number}.png") for number in range(6)]
    for item in pairs:
        dark_photo(item.source)
    stopped = Job(pairs, enhancer, workers=workers)
    run = stopped.run()
    for event in run:
        if isinstance(event, Done):
            break
    run.close()
    assert not [item for item in threading.enumerate() if item.name.startswith("undark-job")]
    present = [item.destination for item in pairs if item.destination.exists()]
    assert present
    for path in present:
        assert mean(path) > 60
    assert not [path for path in (tmp_path / "out").iterdir() if path not in present]

    job = Job(pairs, enhancer, workers=workers)
    list(job.run())
    assert job.summary == Summary(done=6 - len(present), skipped=len(present))


def test_a_photo_being_enhanced_is_abandoned_when_stopped(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    enhance = enhancer.enhance
    let_go = threading.Event()

    def slow(photo: object, *, progress: Callable[[float], None], **options: object) -> object:
        progress(0.5)
        let_go.wait(10)
        return enhance(photo, progress=progress, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(enhancer, "enhance", slow)
    item = pair(tmp_path, "a.png")
    dark_photo(item.source)
    run = Job([item], enhancer).run()
    while not isinstance(next(run), Progress):
        pass
    threading.Timer(0.3, let_go.set).start()
    run.close()
    assert not item.destination.exists()


def test_nothing_to_do_is_done(enhancer: Enhancer) -> None:
    job = Job([], enhancer)
    assert list(job.run()) == []
    assert job.summary == Summary()


def test_a_job_needs_a_worker(enhancer: Enhancer) -> None:
    with pytest.raises(UsageError, match="at least 1 worker"):
        Job([], enhancer, workers=0)


def test_one_photo_is_enhanced_and_its_receipt_given(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    item = pair(tmp_path, "a.png")
    dark_photo(item.source)
    told: list[Event] = []
    receipt = enhance_one(item, enhancer, notify=told.append)
    assert isinstance(receipt, Done)
    assert (receipt.source, receipt.destination) == (item.source, item.destination)
    assert receipt.steps is None
    assert mean(item.destination) > 3 * mean(item.source)
    assert isinstance(told[0], Started)
    assert isinstance(told[-1], Progress)
    assert enhance_one(item, enhancer) == Skipped(item.source, item.destination)
    again = enhance_one(item, enhancer, Options(Adjust(strength=0.0), overwrite=True))
    assert isinstance(again, Done)
    assert mean(item.destination) == mean(item.source)


def test_what_goes_wrong_with_one_photo_is_in_its_receipt(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    missing = enhance_one(pair(tmp_path, "none.png"), enhancer)
    assert isinstance(missing, Failed)
    assert "none.png" in str(missing.error)
    item = pair(tmp_path, "a.png")
    dark_photo(item.source)
    large = enhance_one(item, enhancer, Options(max_pixels=100))
    assert isinstance(large, Failed)
    assert "more than the limit of 100" in str(large.error)
    assert not item.destination.exists()


def test_an_interrupt_passes_through_one_photo(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    item = pair(tmp_path, "a.png")
    dark_photo(item.source)

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enhance_one(item, enhancer, notify=interrupt)
    assert not item.destination.exists()


def test_an_input_without_its_model_fails_alone(
    tmp_path: Path, enhancer: Enhancer, dark_photo: Write
) -> None:
    item = pair(tmp_path, "a.png")
    dark_photo(item.source)
    video = pair(tmp_path, "a.mp4")
    video.source.touch()
    events = list(Job([item, video], enhancer).run())
    assert last_words(events) == {"a.png": Done, "a.mp4": Failed}
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert "is a video, and there is no model for one" in str(failed.error)
