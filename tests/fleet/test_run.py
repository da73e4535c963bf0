"""Plans run by a pool of processes, by the command line: what users see, and what survives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

import undark
from fleet_files import (
    digests,
    killer_runtime,
    run_json,
    run_undark,
    small_photos,
    start_undark,
    workers_of,
)
from undark.fleet.tables import decoded

pytest.importorskip("pyarrow", reason="the extra fleet is not installed")

MODEL = ("-m", "curve", "--runtime", "onnxruntime")
ALONE = (*MODEL, "--processes", 1)


def planned(tmp_path: Path, source: Path, per_shard: int = 10) -> Path:
    plan = tmp_path / "plan"
    run_undark("fleet", "plan", source, "-o", plan, "--per-shard", per_shard)
    return plan


def test_results_are_those_of_enhance(tmp_path: Path) -> None:
    source = small_photos(tmp_path / "in", 12)
    small_photos(source / "below", 3, size=(20, 30))
    plan, out = planned(tmp_path, source), tmp_path / "out"
    found = run_json("fleet", "run", plan, "--to", out, *MODEL, "--processes", 2)
    assert (found["done"], found["failed"], found["pending"]) == (15, 0, 0)
    run_undark(
        *("enhance", source, "--recursive", "-o", tmp_path / "by-hand", *MODEL),
        *("--precision", "exact"),
    )
    assert digests(out) == digests(tmp_path / "by-hand")
    first = source / "0000.jpg"
    assert (out / "0000.jpg").stat().st_mtime_ns == first.stat().st_mtime_ns
    told = run_json("fleet", "verify", plan)
    assert told["good"]
    assert told["planned"] == told["done"] == told["hashed"] == 15


def test_what_fails_is_named_counted_and_tried_again(tmp_path: Path) -> None:
    source = small_photos(tmp_path / "in", 4)
    (source / "torn.jpg").write_bytes(b"no photo")
    plan, out = planned(tmp_path, source), tmp_path / "out"
    told = run_undark("fleet", "run", plan, "--to", out, *ALONE, code=1)[1]
    assert "torn.jpg: is not an image" in told
    found = run_json("fleet", "status", plan)
    assert found["errors"] == {"DamagedError": 1}
    assert (found["done"], found["failed"]) == (4, 1)
    assert run_json("fleet", "verify", plan)["good"]
    # As long as nobody asks, it is not tried again, and nothing else is.
    shutil.copy(source / "0000.jpg", source / "torn.jpg")
    before = digests(plan)
    assert run_json("fleet", "run", plan, code=1)["failed"] == 1
    assert digests(plan) == before
    assert run_json("fleet", "retry", plan, "--failed") == {"retried": 1}
    assert run_json("fleet", "run", plan)["failed"] == 0
    assert (out / "torn.jpg").is_file()
    assert run_json("fleet", "verify", plan)["done"] == 5
    assert run_json("fleet", "retry", plan, "--failed") == {"retried": 0}


def test_the_same_bytes_are_done_once_and_written_twice(tmp_path: Path) -> None:
    source = small_photos(tmp_path / "in", 3)
    for name in ("b.jpg", "c.jpg", "d.jpeg"):
        shutil.copy(source / "0001.jpg", source / name)
    plan, out = planned(tmp_path, source, per_shard=2), tmp_path / "out"
    found = run_json("fleet", "run", plan, "--to", out, *MODEL, "--processes", 2)
    assert (found["done"], found["copied"]) == (6, 3)
    written = digests(out)
    assert written["0001.jpg"] == written["b.jpg"] == written["c.jpg"] == written["d.jpeg"]
    assert len(set(written.values())) == 3
    assert run_json("fleet", "verify", plan)["good"]


def test_a_photo_that_kills_its_worker_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = small_photos(tmp_path / "in", 9)
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(source / "bad.png")
    site = str(killer_runtime(tmp_path / "site"))
    monkeypatch.syspath_prepend(site)
    paths = os.pathsep.join([site, os.environ.get("PYTHONPATH", "")])
    plan, out = planned(tmp_path, source), tmp_path / "out"
    run_undark(
        *("fleet", "run", plan, "--to", out, "-m", "unet", "--runtime", "killer"),
        *("--processes", 2),
        code=1,
        PYTHONPATH=paths,
    )
    found = run_json("fleet", "status", plan)
    assert (found["done"], found["failed"], found["errors"]) == (9, 1, {"SetAside": 1})
    (shard,) = (plan / "receipts").glob("*.parquet")
    errors = [item for item in decoded(shard.read_bytes()) if item["kind"]]
    assert errors[0]["error"].startswith("bad.png: set aside: 3 workers died with it in hand")
    assert "SIGKILL" in errors[0]["error"]
    assert run_json("fleet", "verify", plan)["good"]


def test_what_undark_did_not_write_stays(tmp_path: Path) -> None:
    source = small_photos(tmp_path / "in", 2)
    out = tmp_path / "out"
    out.mkdir()
    (out / "0001.jpg").write_bytes(b"mine")
    plan = planned(tmp_path, source)
    told = run_undark("fleet", "run", plan, "--to", out, *ALONE, code=1)[1]
    assert "undark did not write it" in told
    assert (out / "0001.jpg").read_bytes() == b"mine"
    run_undark("fleet", "retry", plan, "--failed")
    told = run_undark("fleet", "run", plan, "--overwrite", code=2)[1]
    assert "was begun with overwrite False" in told


def test_results_made_otherwise_are_made_again(tmp_path: Path) -> None:
    source, out = small_photos(tmp_path / "in", 2), tmp_path / "out"
    run_undark("enhance", source, "-o", out, *MODEL, "--strength", 0.5)
    before = digests(out)
    plan = planned(tmp_path, source)
    run_undark("fleet", "run", plan, "--to", out, *ALONE)
    assert not set(before.values()) & set(digests(out).values())
    assert run_json("fleet", "verify", plan)["good"]


def test_other_options_for_a_plan_that_was_begun_are_refused(tmp_path: Path) -> None:
    source, out = small_photos(tmp_path / "in", 2), tmp_path / "out"
    plan = planned(tmp_path, source)
    told = run_undark("fleet", "run", plan, *MODEL, code=2)[1]
    assert "--to" in told
    told = run_undark("fleet", "run", plan, "--to", source, *MODEL, code=2)[1]
    assert "is the source itself" in told
    run_undark("fleet", "run", plan, "--to", out, *ALONE, "--strength", 0.5)
    for other in (("--strength", 1), ("--to", tmp_path / "x"), ("-m", "unet"), ("--quality", 3)):
        assert "was begun with" in run_undark("fleet", "run", plan, *other, code=2)[1]
    run_undark("fleet", "run", plan, "--to", out, *MODEL, "--strength", 0.5)
    run_undark("fleet", "run", plan)
    assert "there is a plan already" in run_undark("fleet", "plan", source, "-o", plan, code=2)[1]
    assert "there is no plan" in run_undark("fleet", "run", tmp_path / "no", code=1)[1]


def test_verify_finds_what_is_lost_altered_or_strange(tmp_path: Path) -> None:
    source, out = small_photos(tmp_path / "in", 5), tmp_path / "out"
    plan = planned(tmp_path, source)
    run_undark("fleet", "run", plan, "--to", out, *ALONE)
    (out / "0000.jpg").unlink()
    data = bytearray((out / "0001.jpg").read_bytes())
    data[-10] ^= 1
    (out / "0001.jpg").write_bytes(data)
    (out / "strange.jpg").write_bytes(b"x")
    found = run_json("fleet", "verify", plan, code=1)
    assert found["faults"] == {"lost": 1, "altered": 1, "orphans": 1}
    # By sizes alone, a flipped bit is not seen.
    found = run_json("fleet", "verify", plan, "--no-hashes", code=1)
    assert found["faults"] == {"lost": 1, "orphans": 1}


def test_verify_misses_what_was_not_done(tmp_path: Path) -> None:
    source, out = small_photos(tmp_path / "in", 5), tmp_path / "out"
    plan = planned(tmp_path, source, per_shard=2)
    assert not run_json("fleet", "verify", plan, code=1)["good"]
    run_undark("fleet", "run", plan, "--to", out, *ALONE)
    (plan / "receipts" / "000001.0.parquet").unlink()
    found = run_json("fleet", "verify", plan, code=1)
    assert found["faults"] == {"missing": 2, "orphans": 2}
    assert "not done yet" in run_undark("fleet", "retry", plan, "--failed", code=2)[1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_told_to_stop_ends_after_the_photos_in_hand(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    source, out = small_photos(tmp_path / "in", 50), tmp_path / "out"
    plan = planned(tmp_path, source)
    process = start_undark("fleet", "run", plan, "--to", out, *MODEL, "--processes", 2)
    while len(list(out.glob("*.jpg"))) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    told = process.communicate(timeout=30)[1]
    assert process.returncode == code
    assert "the same command continues" in told
    found = run_json("fleet", "status", plan)
    assert 0 < found["done"] < 50
    # What was published has its receipt, and nothing half made is left.
    assert len(list(out.glob("*.jpg"))) == found["done"]
    assert not list(out.glob(".undark-fleet/*"))
    assert run_json("fleet", "run", plan, "--processes", 1)["done"] == 50
    assert run_json("fleet", "verify", plan)["good"]


def test_a_worker_that_is_told_to_stop_is_replaced_and_no_photo_is_blamed(tmp_path: Path) -> None:
    source, out = small_photos(tmp_path / "in", 30), tmp_path / "out"
    plan = planned(tmp_path, source)
    process = start_undark("fleet", "run", plan, "--to", out, *MODEL, "--processes", 2)
    ended = 0
    while process.poll() is None and ended < 2:
        for worker in workers_of(process)[:1]:
            if len(list(out.glob("*.jpg"))) > 5 * (ended + 1):
                worker.send_signal(signal.SIGTERM)
                worker.wait(20)
                ended += 1
        time.sleep(0.02)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert "in hand" not in told
    assert not (plan / "deaths").exists()
    assert run_json("fleet", "verify", plan)["done"] == 30


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    source, out = small_photos(tmp_path / "in", 50), tmp_path / "out"
    plan = planned(tmp_path, source)
    process = start_undark("fleet", "run", plan, "--to", out, *MODEL, "--processes", 2)
    while len(list(out.glob("*.jpg"))) < 3:
        time.sleep(0.02)
    workers = workers_of(process)
    process.kill()
    process.communicate()
    assert workers
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    assert run_json("fleet", "run", plan, "--processes", 1)["done"] == 50
    assert run_json("fleet", "verify", plan)["good"]
    assert not list(out.glob(".undark-fleet/*"))


def test_a_source_that_changed_or_went_is_told(tmp_path: Path) -> None:
    source, out = small_photos(tmp_path / "in", 3), tmp_path / "out"
    plan = planned(tmp_path, source)
    (source / "0000.jpg").unlink()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(source / "0001.jpg")
    told = run_undark("fleet", "run", plan, "--to", out, *ALONE, code=1)[1]
    assert "0000.jpg: there is no such file any more" in told
    assert "0001.jpg: changed since it was planned" in told
    assert undark.read_photo(out / "0001.jpg").width == 9


def test_formats_names_and_animations(tmp_path: Path) -> None:
    source, out = small_photos(tmp_path / "in", 1), tmp_path / "out"
    frames = [Image.new("RGB", (16, 16), (level, 5, 5)) for level in (3, 30)]
    frames[0].save(source / "still.gif")
    frames[0].save(source / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(source / "flat.bmp")
    frames[0].save(source / "0000.png")
    plan = planned(tmp_path, source)
    run_undark("fleet", "run", plan, "--to", out, *ALONE)
    names = {"0000.jpg", "0000.png", "still.gif.png", "moving.gif", "flat.bmp"}
    assert set(digests(out)) == names
    with Image.open(out / "moving.gif") as moving:
        assert moving.n_frames == 2
    # What carries no record is known again by its bytes.
    shutil.rmtree(plan / "receipts")
    run_undark("fleet", "run", plan)
    assert run_json("fleet", "verify", plan)["good"]


def test_a_report_shows_counts_errors_and_photos(tmp_path: Path) -> None:
    source, out = small_photos(tmp_path / "in", 3), tmp_path / "out"
    (source / "<b>.jpg").write_bytes(b"no photo")
    plan, page = planned(tmp_path, source), tmp_path / "report.html"
    run_undark("fleet", "run", plan, "--to", out, *ALONE, "--report", page, code=1)
    text = page.read_text("utf-8")
    assert "3 of 4 done, 1 failed, 0 to do." in text
    assert "DamagedError: 1" in text
    assert "&lt;b&gt;.jpg" in text
    assert "<b>.jpg" not in text
    assert text.count("data:image/jpeg") == 6
    assert "http" not in text.replace("http-equiv", "")


def test_each_photo_is_told_as_json(tmp_path: Path) -> None:
    source, out = small_photos(tmp_path / "in", 3), tmp_path / "out"
    plan = planned(tmp_path, source)
    lines = run_undark("fleet", "run", plan, "--to", out, *ALONE, "--json")[0].splitlines()
    told = [json.loads(line) for line in lines]
    assert {item["source"] for item in told[:3]} == {"0000.jpg", "0001.jpg", "0002.jpg"}
    assert all(item["status"] == "done" and item["seconds"] > 0 for item in told[:3])
    assert told[3]["done"] == 3


def test_metrics_as_the_output_are_those_of_evaluate(tmp_path: Path) -> None:
    dark = small_photos(tmp_path / "pairs" / "low", 3)
    for path in dark.iterdir():
        (tmp_path / "pairs" / "high").mkdir(exist_ok=True)
        with Image.open(path) as photo:
            photo.point(lambda level: 3 * level + 10).save(tmp_path / "pairs" / "high" / path.name)
    table = tmp_path / "table.csv"
    rows = [f"pairs/low/000{number}.jpg,pairs/high/000{number}.jpg" for number in range(3)]
    table.write_text("\n".join(["path,truth", *rows]))
    plan = planned(tmp_path, table)
    means = run_json("fleet", "evaluate", plan, *ALONE)
    told = run_undark(
        *("evaluate", "--data", tmp_path / "pairs", "--no-memory", *MODEL, "--json"),
        *("--precision", "exact", "--threads", 1),
    )[0]
    (by_hand,) = json.loads(told)["contenders"]
    assert set(means) <= set(by_hand["means"])
    assert means["psnr"]["photos"] == 3
    for name, found in means.items():
        expected = by_hand["means"][name]
        assert found["mean"] == (expected and pytest.approx(expected, rel=1e-12)), name
    assert run_json("fleet", "verify", plan)["good"]
    assert "was begun with task metrics" in run_undark("fleet", "run", plan, code=2)[1]
