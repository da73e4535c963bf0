"""Keys as archives have them: any letters, any length, empty files; and runs beside each other."""

from __future__ import annotations

import csv
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fleet_files import digests, run_json, run_undark, small_photos, start_undark

pytest.importorskip("pyarrow", reason="the extra fleet is not installed")

MODEL = ("-m", "curve", "--runtime", "onnxruntime", "--processes", 1)
ODD = (
    "a b.jpg",
    "100%.jpg",
    "a%20b.jpg",
    "f%04d.jpg",
    "[a].jpg",
    "x#1?.jpg",
    "Nacht über Köln 夜.jpg",
    "two\nlines.jpg",
    "\x1b[31mred.jpg",
    "-o.jpg",
    "~.jpg",
    "'\"`$x`.jpg",
    "back\\slash.jpg",
    "deep/er/x..jpg",
    "l" * 240 + ".jpg",
)


def odd_photos(folder: Path) -> Path:
    photos = sorted(small_photos(folder / "plain", len(ODD), size=(16, 12)).iterdir())
    for photo, name in zip(photos, ODD, strict=True):
        target = folder / "in" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, target)
    (folder / "in" / "\x1b[31mempty\n.jpg").touch()
    return folder / "in"


def test_any_name_of_a_file_is_done(tmp_path: Path) -> None:
    source, plan, out = odd_photos(tmp_path), tmp_path / "plan", tmp_path / "out"
    run_undark("fleet", "plan", source, "-o", plan)
    page = tmp_path / "report.html"
    told = run_undark("fleet", "run", plan, "--to", out, *MODEL, "--report", page, code=1)[1]
    assert "\\x1b[31mempty .jpg: " in told
    assert "\x1b" not in told
    assert set(digests(out)) == set(ODD)
    found = run_json("fleet", "verify", plan)
    assert (found["good"], found["done"], found["failed"]) == (True, len(ODD), 1)


@pytest.mark.skipif(sys.platform != "linux", reason="other disks take no such name")
def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    small_photos(tmp_path / "in", 1)
    os.rename(tmp_path / "in" / "0000.jpg", os.fsencode(tmp_path / "in") + b"/K\xf6ln.jpg")  # noqa: PTH104
    told = run_undark("fleet", "plan", tmp_path / "in", "-o", tmp_path / "plan", code=1)[1]
    assert "K\\udcf6ln.jpg: its name is not UTF-8" in told


def test_any_key_of_a_bucket_is_done(bucket: str, tmp_path: Path) -> None:
    boto3 = pytest.importorskip("boto3", reason="the extra dev brings moto[server]")
    client = boto3.client("s3")
    # moto takes no such key.
    keys = [*(name for name in ODD if "\n" not in name), "k" * 1000 + ".jpg"]
    photos = sorted(small_photos(tmp_path / "plain", len(keys), size=(16, 12)).iterdir())
    for photo, key in zip(photos, keys, strict=True):
        client.put_object(Bucket=bucket, Key=f"in/{key}", Body=photo.read_bytes())
    client.put_object(Bucket=bucket, Key="in/empty.jpg", Body=b"")
    plan = f"s3://{bucket}/plan"
    run_undark("fleet", "plan", f"s3://{bucket}/in", "-o", plan)
    run_undark("fleet", "run", plan, "--to", f"s3://{bucket}/out", *MODEL, code=1)
    found = run_json("fleet", "verify", plan)
    assert (found["good"], found["done"], found["failed"]) == (True, len(keys), 1)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="out/")
    names = {item["Key"].removeprefix("out/") for page in pages for item in page["Contents"]}
    assert names == set(keys)
    client.close()


def test_addresses_in_a_table_lead_nowhere_else(tmp_path: Path) -> None:
    small_photos(tmp_path / "in", 2)
    table = tmp_path / "in" / "below" / "table.csv"
    table.parent.mkdir()
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["key", "name"])
        rows.writerow(["../0000.jpg", "../../up.jpg"])
        rows.writerow([str(tmp_path / "in" / "0001.jpg"), "/root.jpg"])
    plan, out = tmp_path / "plan", tmp_path / "a" / "out"
    run_undark("fleet", "plan", table, "-o", plan)
    run_undark("fleet", "run", plan, "--to", out, *MODEL)
    assert set(digests(tmp_path / "a")) == {"out/_/_/up.jpg", "out/root.jpg"}


def test_what_changed_at_the_same_size_is_told(tmp_path: Path) -> None:
    source, plan = tmp_path / "in", tmp_path / "plan"
    source.mkdir()
    for number, level in enumerate((5, 9)):
        Image.fromarray(np.full((9, 9, 3), level, np.uint8)).save(source / f"{number}.bmp")
    run_undark("fleet", "plan", source, "-o", plan)
    size = (source / "0.bmp").stat().st_size
    Image.fromarray(np.full((9, 9, 3), 30, np.uint8)).save(source / "0.bmp")
    os.utime(source / "0.bmp", (1, 1))
    assert (source / "0.bmp").stat().st_size == size
    told = run_undark("fleet", "run", plan, "--to", tmp_path / "out", *MODEL)[1]
    assert "0.bmp: changed since it was planned" in told
    assert "1.bmp: changed" not in told


def test_results_below_their_sources_and_above_the_plan(tmp_path: Path) -> None:
    source = small_photos(tmp_path / "in", 2)
    plan, out = source / "bright" / "plan", source / "bright"
    run_undark("fleet", "plan", source, "-o", plan)
    run_undark("fleet", "run", plan, "--to", out, *MODEL)
    found = run_json("fleet", "verify", plan)
    assert (found["good"], found["done"]) == (True, 2)


def test_two_runs_of_one_plan_share_it(tmp_path: Path) -> None:
    source, plan, out = small_photos(tmp_path / "in", 24), tmp_path / "plan", tmp_path / "out"
    run_undark("fleet", "plan", source, "-o", plan, "--per-shard", 4)
    command = ("fleet", "run", plan, "--to", out, *MODEL)
    both = [start_undark(*command) for _ in range(2)]
    for process in both:
        told = process.communicate(timeout=120)
        assert process.returncode == 0, told
        assert "24 planned: 24 done" in told[0]
    found = run_json("fleet", "verify", plan)
    assert (found["good"], found["done"]) == (True, 24)
