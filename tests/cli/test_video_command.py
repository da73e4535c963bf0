"""`undark enhance` with videos: files, numbered images, animations."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from small_models import make_model
from undark.cli.app import app
from undark.models import Model
from video_files import grainy, packets, pictures, scene, times, write_video

__all__ = ["make_model"]

Undark = Callable[..., Result]


@pytest.fixture
def undark(curve_model: Path) -> Undark:
    def run(*arguments: object) -> Result:
        options = ["-m", curve_model, "--runtime", "onnxruntime", "--threads", 1]
        return CliRunner().invoke(app, [str(item) for item in ["enhance", *arguments, *options]])

    return run


def numbered(folder: Path, count: int = 6, first: int = 3, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(grainy(scene(12), count), start=first):
        Image.fromarray(frame).save(folder / f"f{number:04}{suffix}")
    return folder / f"f%04d{suffix}"


def animation(path: Path, *, alpha: bool = False, seconds: float = 0.08) -> Path:
    frames = []
    for number, frame in enumerate(grainy(scene(14), 5)):
        picture = Image.fromarray(frame)
        if alpha:
            mask = np.full(frame.shape[:2], 255, np.uint8)
            mask[:20, : 10 + 5 * number] = 0
            picture.putalpha(Image.fromarray(mask))
        frames.append(picture)
    times = [round(seconds * 1000) * (1 + number % 2) for number in range(5)]
    options = {"save_all": True, "append_images": frames[1:], "duration": times, "loop": 0}
    if path.suffix == ".webp":
        options |= {"lossless": True}
    elif alpha:
        options |= {"disposal": 2}
    frames[0].save(path, **options)
    return path


def test_a_video_lands_beside_its_source(undark: Undark, tmp_path: Path) -> None:
    source = write_video(tmp_path / "clip.mp4", grainy(scene(14), 20), sound=True)
    done = undark(source, "--preset", "ultrafast", "--json")
    assert done.exit_code == 0, done.stderr
    target = tmp_path / "clip.undark.mp4"
    (record,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (record["status"], record["destination"]) == ("done", str(target))
    assert np.mean(pictures(target)) > 3 * np.mean(pictures(source))
    assert packets(target, "audio") == packets(source, "audio")
    assert "lift by onnxruntime" in done.stderr
    assert "skipped" in undark(source).stderr


def test_photos_and_videos_of_a_folder_are_both_done(
    undark: Undark, tmp_path: Path, dark_photo: Callable[..., Path]
) -> None:
    folder = tmp_path / "in"
    dark_photo(folder / "a.png")
    write_video(folder / "sub" / "b.mkv", grainy(scene(14), 5))
    (folder / "c.partial.mp4").write_bytes(b"left by a stop")
    (folder / "bad.mov").write_bytes(b"no video")
    done = undark(folder, "--recursive", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.*")) == ["a.png", "b.mkv"]
    assert "bad.mov: is not a video" in done.stderr
    assert "2 done, 0 skipped, 1 failed" in done.stderr


def test_a_model_for_photos_and_videos_is_loaded_once(
    undark: Undark,
    tmp_path: Path,
    dark_photo: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[str] = []
    opened = Model.read

    def counted(self: Model) -> bytes:
        loaded.append(self.card.name)
        return opened(self)

    monkeypatch.setattr(Model, "read", counted)
    dark_photo(tmp_path / "in" / "a.png")
    write_video(tmp_path / "in" / "clip.mp4", [scene(14)] * 3)
    done = undark(tmp_path / "in", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert len(loaded) == 1
    assert done.stderr.count("on cpu") == 1


def test_strength_exposure_and_denoise_are_obeyed(undark: Undark, tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", grainy(scene(14), 8, sigma=4))

    def level(name: str, *options: object) -> float:
        done = undark(source, "-o", tmp_path / name, "--preset", "ultrafast", *options)
        assert done.exit_code == 0, done.stderr
        return float(np.mean(pictures(tmp_path / name)))

    none, full = level("none.mkv", "--strength", 0), level("full.mkv")
    assert none == pytest.approx(np.mean(pictures(source)), abs=0.5)
    assert none < level("half.mkv", "--strength", 0.5) < full
    assert level("less.mkv", "--exposure", -1) < full < level("more.mkv", "--exposure", 1)
    assert level("clean.mkv", "--denoise", 1) == pytest.approx(full, rel=0.1)


def test_a_part_and_a_preview(undark: Undark, tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(14), 50))
    out = tmp_path / "b.mp4"
    done = undark(source, "--from", "0:00.4", "--to", "1", "--preview", "side", "-o", out)
    assert done.exit_code == 0, done.stderr
    assert times(out) == pytest.approx([n / 25 for n in range(15)], abs=1e-3)
    assert pictures(out)[0].shape == (64, 192, 3)


@pytest.mark.parametrize(
    "options",
    [
        ["--from", "soon"],
        ["--to", "-1"],
        ["--from", "3", "--to", "2"],
        ["--preview", "diagonal"],
        ["--codec", "mpeg1"],
        ["--codec", "h264", "--preset", "warp"],
        ["--fps", "0"],
        ["-o", "a.jpg"],
    ],
)
def test_wrong_usage_is_exit_code_2(undark: Undark, tmp_path: Path, options: list[str]) -> None:
    source = write_video(tmp_path / "a.mp4", [scene(14)])
    done = undark(source, *options)
    assert done.exit_code == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_what_an_error_is_about_is_told_as_the_command_line_calls_it(
    undark: Undark, tmp_path: Path
) -> None:
    done = undark(animation(tmp_path / "a.gif"), "--preview", "split", "-o", tmp_path / "b.gif")
    assert done.exit_code == 1
    assert "name one as the destination (--preview)" in done.stderr


def test_a_slow_model_tells_how_long_it_will_take(
    tmp_path: Path, make_model: Callable[..., Path]
) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(14), 6))
    done = CliRunner().invoke(
        app, ["enhance", str(source), "-m", str(make_model()), "--runtime", "onnxruntime"]
    )
    assert done.exit_code == 0, done.stderr
    assert "a.mp4: about " in done.stderr
    assert "frames/s" in done.stderr
    assert np.mean(pictures(tmp_path / "a.undark.mp4")) > 1.5 * np.mean(pictures(source))


def test_numbered_pictures_to_numbered_pictures(undark: Undark, tmp_path: Path) -> None:
    pattern = numbered(tmp_path / "in")
    (tmp_path / "in" / "other.png").write_bytes(b"not one of them")
    done = undark(pattern, "-o", tmp_path / "out" / "g%03d.tif")
    assert done.exit_code == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"g{number:03}.tif" for number in range(3, 9)]
    with Image.open(tmp_path / "out" / "g005.tif") as picture:
        assert np.asarray(picture).mean() > 40
    # Beside them by default.
    assert undark(pattern).exit_code == 0
    assert (tmp_path / "in" / "f0003.undark.png").exists()


def test_numbered_pictures_to_a_video_and_back(undark: Undark, tmp_path: Path) -> None:
    pattern = numbered(tmp_path / "in")
    clip = tmp_path / "clip.mp4"
    done = undark(pattern, "-o", clip, "--fps", 10, "--preset", "ultrafast")
    assert done.exit_code == 0, done.stderr
    assert times(clip) == pytest.approx([n / 10 for n in range(6)], abs=1e-3)
    assert np.mean(pictures(clip)) > 40
    done = undark(clip, "-o", tmp_path / "out" / "%02d.png", "--strength", 0)
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{number:02}.png" for number in range(1, 7)
    ]
    with Image.open(tmp_path / "out" / "03.png") as picture:
        difference = np.asarray(picture).astype(int) - pictures(clip)[2]
    assert np.abs(difference).mean() < 2


def test_sixteen_bit_pictures_stay_so(undark: Undark, tmp_path: Path) -> None:
    import cv2

    for number in range(3):
        deep = np.random.default_rng(number).integers(3000, 5000, (40, 60, 3), dtype=np.uint16)
        cv2.imwrite(str(tmp_path / f"{number}.png"), deep[..., ::-1])
    assert undark(tmp_path / "%d.png", "-o", tmp_path / "out" / "%d.png").exit_code == 0
    found = cv2.imread(str(tmp_path / "out" / "1.png"), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint16
    assert len(np.unique(found)) > 256


def test_a_missing_sequence_is_a_line(undark: Undark, tmp_path: Path) -> None:
    done = undark(tmp_path / "no%03d.png")
    assert done.exit_code == 1
    assert "there are no such images" in done.stderr


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_an_animation_stays_one(undark: Undark, tmp_path: Path, suffix: str, alpha: bool) -> None:
    source = animation(tmp_path / f"a{suffix}", alpha=alpha)
    done = undark(source)
    assert done.exit_code == 0, done.stderr
    with Image.open(source) as old, Image.open(tmp_path / f"a.undark{suffix}") as new:
        assert new.n_frames == old.n_frames == 5
        for number in range(5):
            old.seek(number)
            new.seek(number)
            old.load()
            new.load()
            assert new.info["duration"] == old.info["duration"]
            assert np.asarray(new.convert("RGB")).mean() > 2 * np.asarray(old.convert("RGB")).mean()
            if alpha:
                seen = [np.asarray(item.convert("RGBA"))[..., 3] > 127 for item in (old, new)]
                np.testing.assert_array_equal(*seen)


def test_a_still_gif_is_a_photo(undark: Undark, tmp_path: Path) -> None:
    Image.fromarray(scene(20)).save(tmp_path / "a.gif")
    assert undark(tmp_path / "a.gif").exit_code == 0
    assert (tmp_path / "a.undark.png").exists()


def test_an_animation_becomes_a_video(undark: Undark, tmp_path: Path) -> None:
    source = animation(tmp_path / "a.gif")
    done = undark(source, "-o", tmp_path / "b.mp4", "--preset", "ultrafast")
    assert done.exit_code == 0, done.stderr
    assert len(pictures(tmp_path / "b.mp4")) == 5
    # And a video an animation.
    done = undark(tmp_path / "b.mp4", "-o", tmp_path / "c.webp")
    assert done.exit_code == 0, done.stderr
    with Image.open(tmp_path / "c.webp") as picture:
        assert picture.n_frames == 5


def test_without_pyav_the_way_to_it_is_told(
    undark: Undark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_video(tmp_path / "a.mp4", [scene(14)])
    for name in [name for name in sys.modules if name == "av" or name.startswith("av.")]:
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    done = undark(source)
    assert done.exit_code == 1
    assert "pip install 'undark[video]'" in done.stderr


@pytest.mark.parametrize("fps", [10, 23.976, 60])
def test_numbered_pictures_with_gaps(undark: Undark, tmp_path: Path, fps: float) -> None:
    pattern = numbered(tmp_path / "it's in", count=9, first=1)
    for number in (4, 5, 6, 8):
        (tmp_path / "it's in" / f"f{number:04}.png").unlink()
    for name in ("a.mp4", "out/%03d.png", "a.gif"):
        done = undark(pattern, "-o", tmp_path / name)
        assert done.exit_code == 1
        assert "f0004.png to f0006.png are missing before f0007.png" in done.stderr
        assert "(--gaps)" in done.stderr
        assert not (tmp_path / name).exists()
    done = undark(pattern, "-o", tmp_path / "a.mp4", "--gaps", "--fps", fps)
    assert done.exit_code == 0, done.stderr
    assert times(tmp_path / "a.mp4") == pytest.approx([n / fps for n in range(5)], abs=1e-3)
    assert undark(pattern, "-o", tmp_path / "out" / "%03d.png", "--gaps").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{number:03}.png" for number in (1, 2, 3, 7, 9)
    ]


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize("loop", [None, 0, 1, 3])
def test_delays_and_loops_of_animations_are_the_stored_ones(
    undark: Undark, tmp_path: Path, suffix: str, loop: int | None
) -> None:
    frames = [Image.fromarray(frame) for frame in grainy(scene(14), 6)]
    delays = [100, 200, 50, 10, 20, 300]
    options = {} if loop is None else {"loop": loop}
    source = tmp_path / f"a{suffix}"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=delays, **options)
    assert undark(source).exit_code == 0
    with Image.open(source) as old, Image.open(tmp_path / f"a.undark{suffix}") as new:
        assert new.info.get("loop") == old.info.get("loop")
        found = []
        for number in range(6):
            new.seek(number)
            new.load()
            found.append(new.info["duration"])
    assert found == delays
    # As a video, each is shown as long.
    done = undark(source, "-o", tmp_path / "b.mp4", "--preset", "ultrafast")
    assert done.exit_code == 0, done.stderr
    assert times(tmp_path / "b.mp4") == pytest.approx(np.cumsum([0, *delays[:-1]]) / 1000, abs=1e-3)
    with av.open(str(tmp_path / "b.mp4")) as clip:
        assert clip.duration == pytest.approx(1000 * sum(delays), abs=2000)


def test_rounded_delays_add_up(undark: Undark, tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", grainy(scene(14), 31), rate=30)
    assert undark(source, "-o", tmp_path / "a.gif").exit_code == 0
    with Image.open(tmp_path / "a.gif") as picture:
        total = 0
        for number in range(picture.n_frames):
            picture.seek(number)
            total += picture.info["duration"]
    assert total == pytest.approx(31 / 30 * 1000, abs=10)


def test_a_quality_of_videos_and_one_of_photos(undark: Undark, tmp_path: Path) -> None:
    source = write_video(tmp_path / "clip.mp4", grainy(scene(14), 6))
    sizes = []
    for quality in ("fast", "balanced"):
        target = tmp_path / f"{quality}.mp4"
        done = undark(source, "--quality", quality, "--quality", "90", "-o", target)
        assert done.exit_code == 0, done.stderr
        sizes.append(target.stat().st_size)
    # Noise is what takes most room.
    assert sizes[1] < 0.8 * sizes[0]
    for wrong in ("good", "0", "101", "9.5"):
        done = undark(source, "--quality", wrong)
        assert done.exit_code == 2
        assert "--quality must be fast, balanced, best (videos) or 1 to 100" in done.stderr
