"""Fleets from and to an object store: moto's S3 server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet_files import digests, run_json, run_undark, small_photos
from fleet_flaky import Flaky

boto3 = pytest.importorskip("boto3", reason="the extra dev brings moto[server]")

MODEL = ("-m", "curve", "--runtime", "onnxruntime", "--processes", 1)


@pytest.fixture
def uploaded(bucket: str, tmp_path: Path) -> Iterator[str]:
    """A bucket with nine photos below `in/`."""
    client = boto3.client("s3")
    for path in small_photos(tmp_path / "in", 9).iterdir():
        client.upload_file(str(path), bucket, f"in/{path.name}")
    yield bucket
    client.close()


def bytes_of(bucket: str, prefix: str) -> dict[str, bytes]:
    client = boto3.client("s3")
    found = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())
    got = {
        item["Key"].removeprefix(prefix): client.get_object(Bucket=bucket, Key=item["Key"])[
            "Body"
        ].read()
        for item in found
    }
    client.close()
    return got


def test_from_a_bucket_to_a_bucket_with_the_plan_in_one(uploaded: str, tmp_path: Path) -> None:
    plan, to = f"s3://{uploaded}/plan", f"s3://{uploaded}/out"
    run_undark("fleet", "plan", f"s3://{uploaded}/in", "-o", plan, "--per-shard", 4)
    out, told = run_undark("fleet", "run", plan, "--to", to, *MODEL)
    assert "9 done" in out
    assert "secret" not in out + told
    run_undark("enhance", tmp_path / "in", "-o", tmp_path / "by-hand", *MODEL[:4])
    by_hand = {p.name: p.read_bytes() for p in (tmp_path / "by-hand").iterdir()}
    assert bytes_of(uploaded, "out/") == by_hand
    assert run_json("fleet", "verify", plan)["hashed"] == 9
    receipts = bytes_of(uploaded, "plan/receipts/")
    assert set(receipts) == {f"00000{number}.0.parquet" for number in range(3)}
    assert run_json("fleet", "run", plan)["done"] == 9
    assert bytes_of(uploaded, "plan/receipts/") == receipts
    boto3.client("s3").delete_object(Bucket=uploaded, Key="out/0003.jpg")
    boto3.client("s3").put_object(Bucket=uploaded, Key="out/0004.jpg", Body=b"other")
    assert run_json("fleet", "verify", plan, code=1)["faults"] == {"lost": 1, "altered": 1}


def test_a_table_of_addresses_from_here_and_there(
    uploaded: str, s3_server: str, tmp_path: Path
) -> None:
    client = boto3.client("s3")
    web = client.generate_presigned_url("get_object", {"Bucket": uploaded, "Key": "in/0002.jpg"})
    rows = [f"s3://{uploaded}/in/0000.jpg", str(tmp_path / "in" / "0001.jpg"), web]
    table = tmp_path / "table.txt"
    table.write_text("\n".join([*rows, "in/0003.jpg", "in/gone.jpg", ""]))
    plan, out = tmp_path / "plan", tmp_path / "out"
    run_undark("fleet", "plan", table, "-o", plan)
    said = "".join(run_undark("fleet", "run", plan, "--to", out, *MODEL, code=1))
    assert "4 done" in said
    assert "gone.jpg: there is no such file any more" in said
    assert "Signature" not in said
    names = set(digests(out))
    assert len(names) == 4
    assert f"{uploaded}/in/0000.jpg" in names
    assert "in/0003.jpg" in names


def test_a_store_that_misbehaves_is_survived_and_told(
    uploaded: str, flaky: Flaky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", flaky.address)
    plan, to = f"s3://{uploaded}/plan", f"s3://{uploaded}/out"
    run_undark("fleet", "plan", f"s3://{uploaded}/in", "-o", plan, "--per-shard", 4)
    client = boto3.client("s3")
    client.delete_object(Bucket=uploaded, Key="in/0008.jpg")  # the listing is old
    flaky.rules.busy = 12
    flaky.rules.cut, flaky.rules.cuts = "in/0002.jpg", 2
    out, told = run_undark("fleet", "run", plan, "--to", to, *MODEL, code=1)
    assert flaky.rules.busy < 12
    assert flaky.rules.cuts == 0
    assert "8 done, 1 failed" in out
    assert "0008.jpg: there is no such file any more" in told
    # A listing that does not show the receipts yet takes none of them back.
    before = bytes_of(uploaded, "plan/")
    flaky.rules.hide = "receipts/"
    assert run_json("fleet", "run", plan, code=1)["done"] == 8
    flaky.rules.hide = ""
    assert bytes_of(uploaded, "plan/") == before
    run_undark("enhance", tmp_path / "in", "-o", tmp_path / "by-hand", *MODEL[:4])
    by_hand = {p.name: p.read_bytes() for p in (tmp_path / "by-hand").iterdir()}
    del by_hand["0008.jpg"]
    assert bytes_of(uploaded, "out/") == by_hand


def test_a_body_that_is_always_cut_is_no_photo(
    uploaded: str, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", flaky.address)
    plan, to = f"s3://{uploaded}/plan", f"s3://{uploaded}/out"
    run_undark("fleet", "plan", f"s3://{uploaded}/in", "-o", plan)
    flaky.rules.cut, flaky.rules.cuts = "in/0002.jpg", 10**6
    told = run_undark("fleet", "run", plan, "--to", to, *MODEL, code=1)[1]
    assert "0002.jpg: " in told
    assert "the store gives less than there is" in told
    assert run_json("fleet", "status", plan)["errors"] == {"StoreError": 1}
    assert "0002.jpg" not in bytes_of(uploaded, "out/")
