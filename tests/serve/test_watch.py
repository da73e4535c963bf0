"""A watched folder, with real files: slow writers, moves, bursts, restarts, and what goes wrong."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import undark
from undark.errors import MissingExtraError, UsageError
from undark.io.record import find_record
from undark.jobs import Done, Event, Failed, Notice, Options, Progress, Skipped, Started, Summary

pytest.importorskip("watchfiles", reason="watchfiles is not installed")
from undark.serve.watch import watch

Write = Callable[..., Path]
QUIET = 0.2
PATIENCE = 20.0


class Watched:
    """A folder that is watched by a thread."""

    def __init__(self, home: Path, model: Path, *, quiet: float = QUIET, **options: object) -> None:
        self.source, self.target = home / "in", home / "out"
        self.source.mkdir(exist_ok=True)
        self.events: list[Event] = []
        self.opened = 0
        self.summary: Summary | None = None
        self._stop = threading.Event()
        self._model = model
        self._quiet = quiet
        self._options = Options(**options)  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.summary = watch(
            self.source,
            self.target,
            open_photos=self._open,
            open_videos=lambda: undark.VideoEnhancer("curve"),
            options=self._options,
            wanted=undark.Enhancer(self._model).wanted(self._options.adjust),
            quiet=self._quiet,
            stop=self._stop,
            notify=self.events.append,
        )

    def _open(self) -> undark.Enhancer:
        self.opened += 1
        return undark.Enhancer(self._model)

    @contextmanager
    def running(self) -> Iterator[Watched]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def of(self, kind: type[Event]) -> list[str]:
        """The places of sources that have such an event, in order."""
        found = [event.source for event in list(self.events) if isinstance(event, kind)]
        return [str(path.relative_to(self.source)) for path in found]

    def wait(self, done: Callable[[], bool], told: str = "in time") -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, (told, self.events)
            time.sleep(0.02)

    def rest(self) -> None:
        """Long enough for all that may still come."""
        count = -1
        while count != len(self.events):
            count = len(self.events)
            time.sleep(3 * QUIET)


@pytest.fixture
def watched(tmp_path: Path, gain_model: Path) -> Watched:
    return Watched(tmp_path, gain_model)


def level(path: Path) -> float:
    with Image.open(path) as image:
        return float(np.asarray(image.convert("RGB")).mean())


def test_what_lies_there_and_what_lands_comes_out(watched: Watched, dark_photo: Write) -> None:
    dark_photo(watched.source / "there.png", level=20)
    dark_photo(watched.source / "deep" / "er" / "there.jpg", level=25)
    with watched.running():
        watched.wait(lambda: len(watched.of(Done)) == 2)
        dark_photo(watched.source / "new" / "landed.png", level=30)
        watched.wait(lambda: len(watched.of(Done)) == 3)
    assert watched.summary == Summary(done=3)
    assert watched.opened == 1
    assert 75 < level(watched.target / "there.png") < 85
    assert 115 < level(watched.target / "new" / "landed.png") < 125
    assert find_record(watched.target / "deep" / "er" / "there.jpg") is not None
    assert {path.name for path in watched.target.rglob("*") if path.is_file()} == {
        "there.png",
        "there.jpg",
        "landed.png",
    }


@pytest.mark.parametrize("kind", ["relative", "linked"])
def test_however_the_folder_is_named_news_come_at_once(
    tmp_path: Path,
    gain_model: Path,
    dark_photo: Write,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    (tmp_path / "real" / "in").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("undark.serve.watch._RESCAN", 1000.0)
    watched = Watched(Path("real") if kind == "relative" else tmp_path / "link", gain_model)
    with watched.running():
        dark_photo(watched.source / "first.png")
        watched.wait(lambda: bool(watched.of(Done)))
        dark_photo(watched.source / "new" / "a.png")
        dark_photo(watched.source / "b.png")
        watched.wait(lambda: len(watched.of(Done)) == 3)
    assert sorted(watched.of(Done)) == ["b.png", "first.png", str(Path("new", "a.png"))]


def test_a_restart_does_nothing_twice_and_opens_no_model(
    watched: Watched, tmp_path: Path, gain_model: Path, dark_photo: Write
) -> None:
    for number in range(3):
        dark_photo(watched.source / f"{number}.png", level=20 + number)
    with watched.running():
        watched.wait(lambda: len(watched.of(Done)) == 3)
    times = {path: path.stat().st_mtime_ns for path in watched.target.iterdir()}
    dark_photo(watched.source / "1.png", level=50)
    again = Watched(tmp_path, gain_model)
    with again.running():
        again.wait(lambda: len(again.events) >= 3 and bool(again.of(Done)))
        again.rest()
    assert again.summary == Summary(done=1, skipped=2)
    assert again.of(Done) == ["1.png"]
    assert times[watched.target / "0.png"] == (watched.target / "0.png").stat().st_mtime_ns
    third = Watched(tmp_path, gain_model)
    with third.running():
        third.wait(lambda: len(third.of(Skipped)) == 3)
    assert third.opened == 0


def test_a_slow_writer_is_waited_for(tmp_path: Path, gain_model: Path, dark_photo: Write) -> None:
    watched = Watched(tmp_path, gain_model, quiet=1.0)
    data = dark_photo(tmp_path / "whole.png", size=(80, 60)).read_bytes()
    with watched.running(), (watched.source / "slow.png").open("wb", buffering=0) as file:
        for start in range(0, len(data), 1 + len(data) // 8):
            file.write(data[start : start + 1 + len(data) // 8])
            time.sleep(0.2)
        assert not watched.events
        watched.wait(lambda: bool(watched.of(Done)))
    assert watched.summary == Summary(done=1)


def test_a_writer_that_paused_is_done_once_it_went_on(
    watched: Watched, tmp_path: Path, dark_photo: Write
) -> None:
    data = dark_photo(tmp_path / "whole.png", size=(80, 60)).read_bytes()
    with watched.running(), (watched.source / "slow.png").open("wb", buffering=0) as file:
        file.write(data[:900])
        watched.wait(lambda: bool(watched.of(Failed)))
        watched.rest()
        assert watched.of(Failed) == ["slow.png"], "told once"
        file.write(data[900:])
        watched.wait(lambda: bool(watched.of(Done)))
    (failed,) = [event for event in watched.events if isinstance(event, Failed)]
    assert len(str(failed.error).splitlines()) == 1
    assert "slow.png" in str(failed.error)


def test_what_is_moved_in_is_done_and_what_is_unfinished_is_not(
    watched: Watched, tmp_path: Path, dark_photo: Write
) -> None:
    dark_photo(tmp_path / "card" / "DCIM.100" / "a.jpg")
    dark_photo(tmp_path / "card" / "DCIM.100" / "deeper" / "b.jpg", level=30)
    with watched.running():
        for name in (".c.jpg", "~c.jpg", "c.undark.jpg", ".hidden/c.jpg", "c.jpg.download/c.jpg"):
            dark_photo(watched.source / name)
        for name in ("c.jpg.part", "c.jpg.crdownload", "c.jpg~", "notes.txt"):
            (watched.source / name).write_bytes(b"x")
        os.mkfifo(watched.source / "pipe.jpg")
        (tmp_path / "card" / "DCIM.100").rename(watched.source / "DCIM.100")
        watched.wait(lambda: len(watched.of(Done)) == 2)
        (watched.source / "c.jpg.download" / "c.jpg").rename(watched.source / "c.jpg")
        watched.wait(lambda: len(watched.of(Done)) == 3)
        watched.rest()
    assert sorted(watched.of(Done)) == ["DCIM.100/a.jpg", "DCIM.100/deeper/b.jpg", "c.jpg"]
    assert watched.summary == Summary(done=3)


def test_a_burst_of_a_hundred_is_done_once_each(watched: Watched, dark_photo: Write) -> None:
    with watched.running():
        for number in range(100):
            dark_photo(watched.source / f"{number}.png", size=(16, 12), level=10 + number)
        watched.wait(lambda: len(watched.of(Done)) >= 100)
        watched.rest()
    assert watched.summary == Summary(done=100)
    assert sorted(watched.of(Done)) == sorted(f"{number}.png" for number in range(100))
    assert len(set(watched.of(Started))) == len(watched.of(Started)) == 100


def test_a_source_that_changes_is_done_again_and_one_that_goes_is_forgotten(
    watched: Watched, dark_photo: Write
) -> None:
    with watched.running():
        for name in ("a.png", "b.bmp"):
            dark_photo(watched.source / name, level=20)
        watched.wait(lambda: len(watched.of(Done)) == 2)
        for name in ("a.png", "b.bmp"):  # a BMP's result cannot say what it was made of
            dark_photo(watched.source / name, level=40)
        watched.wait(lambda: len(watched.of(Done)) == 4)
        assert all(150 < level(watched.target / name) < 170 for name in ("a.png", "b.bmp"))
        (watched.source / "a.png").rename(watched.source / "c.png")
        (watched.source / "b.bmp").unlink()
        watched.wait(lambda: "c.png" in watched.of(Done))
        watched.rest()
    assert watched.summary == Summary(done=5)
    assert (watched.target / "a.png").exists()


def test_a_file_that_comes_and_goes_is_no_failure(watched: Watched, dark_photo: Write) -> None:
    with watched.running():
        for number in range(30):
            path = dark_photo(watched.source / f"{number}.png", size=(16, 12))
            if number % 2:
                path.unlink()
            elif number % 4:
                path.rename(path.with_name(f"moved {number}.png"))
        watched.wait(lambda: len(watched.of(Done)) >= 15)
        watched.rest()
    assert watched.summary == Summary(done=15)


def test_what_others_wrote_stays_and_is_told(watched: Watched, dark_photo: Write) -> None:
    theirs = dark_photo(watched.target / "a.png", level=90)
    before = theirs.read_bytes()
    dark_photo(watched.source / "a.png")
    with watched.running():
        watched.wait(lambda: bool(watched.of(Failed)))
        watched.rest()
    assert theirs.read_bytes() == before
    assert watched.summary == Summary(failed=1)


def test_sources_never_meet(tmp_path: Path, gain_model: Path, dark_photo: Write) -> None:
    watched = Watched(tmp_path, gain_model, format="PNG")
    for number, name in enumerate(("a.png", "a.jpg", "a.tif", "b.jpg")):
        dark_photo(watched.source / name, level=20 + number)
    with watched.running():
        watched.wait(lambda: len(watched.of(Done)) == 4)
        dark_photo(watched.source / "b.jpg.png", level=60)
        watched.wait(lambda: bool(watched.of(Failed)))
    results = {path.name for path in watched.target.iterdir()}
    assert results == {"a.png", "a.jpg.png", "a.tif.png", "b.jpg.png"}
    assert level(watched.target / "b.jpg.png") < 100
    (failed,) = [event for event in watched.events if isinstance(event, Failed)]
    assert "would both become" in str(failed.error)


def test_the_folder_may_go_and_come_back(
    watched: Watched, tmp_path: Path, dark_photo: Write
) -> None:
    dark_photo(watched.source / "a.png")
    with watched.running():
        watched.wait(lambda: bool(watched.of(Done)))
        watched.source.rename(tmp_path / "away")
        watched.wait(lambda: any(isinstance(event, Notice) for event in watched.events))
        (tmp_path / "away").rename(watched.source)
        dark_photo(watched.source / "b.png")
        watched.wait(lambda: len(watched.of(Done)) == 2)
        watched.rest()
    assert watched.of(Done) == ["a.png", "b.png"]


def test_a_full_disk_is_tried_again_and_told_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, dark_photo: Write
) -> None:
    monkeypatch.setattr("undark.serve.watch._RETRY", 0.2)
    watched.target.mkdir()
    (watched.target / "deep").write_bytes(b"in the way of a folder")
    dark_photo(watched.source / "deep" / "a.png")
    with watched.running():
        watched.wait(lambda: bool(watched.of(Failed)))
        watched.rest()
        assert watched.of(Failed) == ["deep/a.png"]
        (watched.target / "deep").unlink()
        watched.wait(lambda: bool(watched.of(Done)))


def test_it_ends_after_the_photo_in_hand(watched: Watched, dark_photo: Write) -> None:
    for number in range(50):
        dark_photo(watched.source / f"{number}.png", size=(300, 200), level=20 + number)
    with watched.running():
        watched.wait(lambda: bool(watched.of(Done)))
    assert watched.summary is not None
    assert 0 < watched.summary.done < 50
    assert len(watched.of(Started)) == len(watched.of(Done)) == watched.summary.done
    assert len(list(watched.target.iterdir())) == watched.summary.done, "nothing half-written"


def test_videos_are_done_once_and_gone_on_with(
    watched: Watched, tmp_path: Path, gain_model: Path
) -> None:
    pytest.importorskip("av", reason="av is not installed")
    from video_files import scene, write_video

    frame = scene(size=(64, 48))
    watched.source.mkdir(exist_ok=True)
    write_video(watched.source / "short.mp4", [frame] * 5)
    with watched.running():
        watched.wait(lambda: bool(watched.of(Done)))
        write_video(tmp_path / "short.mp4", [frame] * 8).replace(watched.source / "short.mp4")
        watched.wait(lambda: len(watched.of(Done)) == 2)
        write_video(tmp_path / "long.mp4", [frame] * 1500).replace(watched.source / "long.mp4")
        watched.wait(lambda: "long.mp4" in watched.of(Progress))
    assert watched.summary == Summary(done=2)
    whole = [path for path in watched.target.iterdir() if ".undark-work" not in path.name]
    assert {path.name for path in whole} <= {"short.mp4", "long.partial.mp4"}
    again = Watched(tmp_path, gain_model)
    with again.running():
        again.wait(lambda: again.of(Skipped) == ["short.mp4"] and bool(again.of(Done)))
    assert again.of(Started) == ["long.mp4"]
    assert {path.name for path in again.target.iterdir()} == {"short.mp4", "long.mp4"}


def test_leftovers_of_a_killed_run_go(watched: Watched, dark_photo: Write) -> None:
    watched.target.mkdir()
    left = watched.target / ".a.png.0123abcd.undark-part"
    left.write_bytes(b"half")
    dark_photo(watched.source / "a.png")
    with watched.running():
        watched.wait(lambda: bool(watched.of(Done)))
    assert not left.exists()


@pytest.mark.parametrize("place", [".", "in", "in/results", ""])
def test_results_in_or_around_the_watched_folder_are_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    target = tmp_path / place if place else tmp_path / "link"
    with pytest.raises(UsageError, match="neither in the watched folder nor around it"):
        start(tmp_path / "in", target)
    assert not (tmp_path / "in" / "results").exists()


def test_wrong_folders_and_times_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        start(tmp_path / "none", tmp_path / "out")
    (tmp_path / "in").mkdir()
    for quiet in (-1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="quiet"):
            start(tmp_path / "in", tmp_path / "out", quiet=quiet)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match="serve"):
        start(tmp_path / "in", tmp_path / "out")


def start(source: Path, target: Path, quiet: float = 1.0) -> None:
    def nothing() -> undark.Enhancer:
        raise AssertionError

    watch(
        source,
        target,
        open_photos=nothing,
        open_videos=None,
        options=Options(),
        quiet=quiet,
        stop=threading.Event(),
        notify=lambda _: None,
    )
