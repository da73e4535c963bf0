from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

Undark = Callable[..., Result]
Write = Callable[..., Path]


def mean(path: Path | bytes) -> float:
    with Image.open(io.BytesIO(path) if isinstance(path, bytes) else path) as image:
        return float(np.asarray(image).mean())


def lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_one_photo_lands_beside_its_source(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    source = dark_photo(tmp_path / "night.png")
    before = source.read_bytes()
    done = undark("enhance", source, "-m", gain_model)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'night.undark.png'}\n"
    assert mean(tmp_path / "night.undark.png") > 3 * mean(source)
    assert source.read_bytes() == before


def test_what_really_runs_is_told_once_on_stderr(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    for name in ("a.png", "b.png"):
        dark_photo(tmp_path / "in" / name)
    done = undark(
        "enhance", tmp_path / "in", "-m", gain_model, "--runtime", "onnxruntime", "--device", "cpu"
    )
    assert done.stderr.count("onnxruntime") == 1
    assert "on cpu" in done.stderr


def test_precision_is_chosen_where_the_runtime_has_a_choice(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    source = dark_photo(tmp_path / "night.png")
    command = ["enhance", source, "-m", gain_model, "--overwrite"]
    done = undark(*command, "--precision", "fast", "--runtime", "openvino", "--device", "cpu")
    assert done.exit_code == 0, done.stderr
    for wrong in (["fast", "--runtime", "onnxruntime"], ["half"]):
        done = undark(*command, "--precision", *wrong)
        assert done.exit_code == 2
        assert "precision" in done.stderr


def test_a_tree_is_kept_and_done_ones_are_skipped(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    for name in ("a.png", "deep/b.png", "deep/er/ночь ☾.png"):
        dark_photo(tmp_path / "in" / name)
    out = tmp_path / "out"
    command = ["enhance", tmp_path / "in", "-o", out, "-m", gain_model]
    assert undark(*command).exit_code == 0
    assert names(out) == ["a.png"]

    done = undark(*command, "--recursive", "--jobs", 2)
    assert done.exit_code == 0, done.stderr
    assert names(out) == ["a.png", "deep/b.png", "deep/er/ночь ☾.png"]
    assert f"{out / 'a.png'}: skipped" in done.stderr
    assert "2 done, 1 skipped, 0 failed" in done.stderr
    assert len(done.stdout.splitlines()) == 2

    (out / "a.png").write_bytes(b"old")
    done = undark(*command, "--overwrite")
    assert done.stdout == f"{out / 'a.png'}\n"
    assert mean(out / "a.png") > 60


def test_failures_are_named_and_the_others_done(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    dark_photo(tmp_path / "good.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    (tmp_path / "empty.jpg").touch()
    inputs = [tmp_path / name for name in ("good.png", "torn.png", "empty.jpg", "gone.png")]
    done = undark("enhance", *inputs, "-m", gain_model, "-o", tmp_path / "out", "--json")
    assert done.exit_code == 1
    records = {Path(str(record["source"])).name: record for record in lines(done)}
    assert {name: record["status"] for name, record in records.items()} == {
        "good.png": "done",
        "torn.png": "failed",
        "empty.jpg": "failed",
        "gone.png": "failed",
    }
    for name in ("torn.png", "empty.jpg", "gone.png"):
        error = records[name]["error"]
        assert isinstance(error, dict)
        assert name in error["message"]
        assert error["message"] in done.stderr
    assert records["gone.png"]["error"]["type"] == "UnreadableError"  # type: ignore[index]
    assert records["good.png"]["error"] is None
    assert records["good.png"]["destination"] == str(tmp_path / "out" / "good.png")
    assert "Traceback" not in done.stderr
    assert names(tmp_path / "out") == ["good.png"]


def test_a_source_is_replaced_only_when_asked(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    source = dark_photo(tmp_path / "a.png")
    before = source.read_bytes()
    done = undark("enhance", source, "-m", gain_model, "-o", tmp_path, "--overwrite")
    assert done.exit_code == 2
    assert source.read_bytes() == before
    assert undark("enhance", "-", "-m", gain_model, "--in-place", stdin=before).exit_code == 2

    done = undark("enhance", source, "-m", gain_model, "--in-place")
    assert done.stdout == f"{source}\n"
    assert mean(source) > 3 * mean(before)
    assert names(tmp_path) == ["a.png", "models/gain.json", "models/gain.onnx"]


def test_what_cannot_be_replaced_does_not_stop_the_others(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    folder = tmp_path / "in"
    source = dark_photo(folder / "a.png")
    before = source.read_bytes()
    Image.fromarray(np.full((20, 30), 9, np.uint8)).save(folder / "b.gif")
    done = undark("enhance", folder, "-m", gain_model, "--in-place")
    assert done.exit_code == 1
    assert "b.gif: cannot be replaced in place" in done.stderr
    assert done.stdout == f"{source}\n"
    assert mean(source) > 3 * mean(before)


def test_debug_shows_the_traceback_of_a_failed_input(
    undark: Undark, tmp_path: Path, gain_model: Path
) -> None:
    (tmp_path / "empty.jpg").touch()
    done = undark("enhance", tmp_path / "empty.jpg", "-m", gain_model, "--debug")
    assert done.exit_code == 1
    assert "Traceback" in done.stderr


def test_json_tells_what_was_skipped(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    command = ["enhance", dark_photo(tmp_path / "a.png"), "-m", gain_model, "--json"]
    (first,) = lines(undark(*command))
    (second,) = lines(undark(*command))
    assert (first["status"], second["status"]) == ("done", "skipped")
    assert first["destination"] == second["destination"]
    assert isinstance(first["seconds"], float)


def test_strength_exposure_format_and_quality_are_obeyed(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    source = dark_photo(tmp_path / "a.png", size=(200, 160))

    def run(name: str, *options: object) -> Path:
        done = undark("enhance", source, "-m", gain_model, "-o", tmp_path / name, *options)
        assert done.exit_code == 0, done.stderr
        return tmp_path / name

    assert mean(run("none.png", "--strength", 0)) == mean(source)
    full = mean(run("full.png"))
    assert mean(source) < mean(run("half.png", "--strength", 0.5)) < full
    assert mean(run("less.png", "--exposure", -1)) < full < mean(run("more.png", "--exposure", 1))
    small, large = (
        run(f"{quality}.jpg", "--format", "jpg", "--quality", quality) for quality in (30, 95)
    )
    with Image.open(small) as image:
        assert image.format == "JPEG"
    assert small.stat().st_size < large.stat().st_size


@pytest.mark.parametrize("name", ["a.png", "a.jpeg"])
def test_stdin_to_stdout_keeps_the_format(
    name: str, undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    source = dark_photo(tmp_path / name).read_bytes()
    done = undark("enhance", "-", "-m", gain_model, stdin=source)
    assert done.exit_code == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout_bytes)) as image:
        assert image.format == name.removeprefix("a.").upper()
    assert mean(done.stdout_bytes) > 3 * mean(source)


def test_stdin_to_another_format_and_to_a_file(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    source = dark_photo(tmp_path / "a.png").read_bytes()
    done = undark("enhance", "-", "-m", gain_model, "--format", "webp", stdin=source)
    with Image.open(io.BytesIO(done.stdout_bytes)) as image:
        assert image.format == "WEBP"

    out = tmp_path / "out.tif"
    command = ["enhance", "-", "-m", gain_model, "-o", out, "--json"]
    (record,) = lines(undark(*command, stdin=source))
    assert (record["source"], record["destination"], record["status"]) == ("-", str(out), "done")
    with Image.open(out) as image:
        assert image.format == "TIFF"
    (record,) = lines(undark(*command, stdin=source))
    assert record["status"] == "skipped"


def test_a_bad_photo_on_stdin_is_one_line_and_nothing_on_stdout(
    undark: Undark, gain_model: Path
) -> None:
    done = undark("enhance", "-", "-m", gain_model, stdin=b"not a photo")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "stdin" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["-", "--json"],
        ["--in-place", "-o", "out", "*.png"],
        ["-", "-o", "."],
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    arguments: list[str],
    undark: Undark,
    tmp_path: Path,
    gain_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = undark("enhance", *arguments, "-m", gain_model, stdin=b"")
    assert done.exit_code == 2
    assert done.stderr.startswith("undark: ")
    assert done.stdout == ""


def test_altered_weights_are_refused_before_anything_is_done(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    gain_model.write_bytes(gain_model.read_bytes() + b"\0")
    done = undark("enhance", dark_photo(tmp_path / "a.png"), "-m", gain_model)
    assert done.exit_code == 2
    assert "sha256" in done.stderr
    assert not (tmp_path / "a.undark.png").exists()


def test_a_pipe_sees_no_colour_and_no_progress_bar(
    tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    source = dark_photo(tmp_path / "a.png")
    done = subprocess.run(
        [sys.executable, "-m", "undark.cli.app", "enhance", source, "-m", gain_model],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.decode().strip() == str(tmp_path / "a.undark.png")
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\r" not in done.stderr.replace(b"\r\n", b"\n")


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are not there on Windows")
def test_a_terminal_sees_a_progress_bar_and_stdout_stays_clean(
    tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    import pty

    for name in ("a.png", "b.png"):
        dark_photo(tmp_path / "in" / name)
    reader, terminal = pty.openpty()
    with os.fdopen(reader, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "undark.cli.app", "enhance", tmp_path / "in"),
                *("-o", tmp_path / "out", "-m", gain_model),
            ],
            stdout=subprocess.PIPE,
            stderr=terminal,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(terminal)
        seen = b""
        # Linux tells the end of a terminal as an input/output error.
        with suppress(OSError):
            while piece := screen.read(4096):
                seen += piece
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0, seen
    assert b"2/2" in seen
    assert b"2 done, 0 skipped, 0 failed" in seen
    assert stdout.decode().splitlines() == [
        str(tmp_path / "out" / name) for name in ("a.png", "b.png")
    ]


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to a child alone on Windows")
def test_ctrl_c_is_130_a_clear_line_and_whole_files(
    tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    photo = dark_photo(tmp_path / "in" / "000.png", size=(600, 400)).read_bytes()
    for number in range(1, 500):
        (tmp_path / "in" / f"{number:03}.png").write_bytes(photo)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "undark.cli.app", "enhance", tmp_path / "in"),
            *("-o", out, "-m", gain_model, "--jobs", "2"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate(timeout=60)
    assert process.returncode == 130, talk
    assert "stopped" in talk
    assert "Traceback" not in talk
    written = list(out.iterdir())
    assert 0 < len(written) < 500
    for path in written:
        assert path.suffix == ".png"
        assert mean(path) > 60


def test_the_light_differs_from_place_to_place_as_much_as_is_asked(
    undark: Undark, tmp_path: Path, dark_photo: Write, gain_model: Path
) -> None:
    top, bottom = (dark_photo(tmp_path / f"{level}.png", level=level) for level in (8, 90))
    source = tmp_path / "night.png"
    with Image.open(top) as one, Image.open(bottom) as two:
        Image.fromarray(np.vstack([np.asarray(one), np.asarray(two)])).save(source)
    results: list[Path] = []
    for asked in ([], ["--local", 1], ["--local", 0]):
        results.append(tmp_path / f"{len(results)}.png")
        done = undark("enhance", source, "-o", results[-1], "--runtime", "onnxruntime", *asked)
        assert done.exit_code == 0, done.stderr
    everywhere, all_of_it, none = (path.read_bytes() for path in results)
    assert everywhere == all_of_it != none
    done = undark("enhance", source, "-m", gain_model, "--local", 0.5)
    assert done.exit_code == 2
    assert "leave out --local" in done.stderr
    assert undark("enhance", source, "--local", 2).exit_code == 2
