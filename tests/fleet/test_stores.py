"""Stores, here and on a real S3 server: of all who put, one wins; what is written is whole."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet_flaky import Flaky
from fleet_race import race
from undark.errors import OutputError, UnreadableError, UsageError
from undark.fleet.folder import Folder
from undark.fleet.opening import open_store
from undark.fleet.retries import Patience
from undark.fleet.stores import Store, text_without_secrets, without_secrets

QUICK = Patience(attempts=6, first=0.01, longest=0.05)


@pytest.fixture(params=["folder", "s3", "google"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A folder's store, and those of buckets."""
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    if request.param == "google":
        return open_store(f"gs://{request.getfixturevalue('google_bucket')}/below", QUICK)
    return open_store(f"s3://{request.getfixturevalue('bucket')}/below", QUICK)


def test_what_is_put_is_there(store: Store, tmp_path: Path) -> None:
    assert store.find("a/b.txt") is None
    assert not store.exists("a/b.txt")
    assert store.put("a/b.txt", b"one")
    assert not store.put("a/b.txt", b"two")
    assert store.put("a/b.txt", b"one"), "known again: an answer may be lost on the way"
    assert store.get("a/b.txt") == b"one"
    store.write("a/b.txt", b"three")
    assert store.get("a/b.txt") == b"three"
    store.fetch("a/b.txt", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"three"
    entry = store.stat("a/b.txt")
    assert entry is not None
    assert (entry.name, entry.size) == ("a/b.txt", 5)
    assert entry.version
    with pytest.raises(FileNotFoundError):
        store.get("a/c.txt")
    with pytest.raises(FileNotFoundError):
        store.fetch("a/c.txt", tmp_path / "none")
    store.delete("a/b.txt")
    store.delete("a/b.txt")
    assert not store.exists("a/b.txt")


# Of gcsfs, which gives aiohttp large bytes.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
def test_files_are_published_once(store: Store, tmp_path: Path) -> None:
    # What is larger than five megabytes is sent otherwise.
    parts = [tmp_path / "store" / f".part{number}" for number in range(3)]
    parts[0].parent.mkdir(exist_ok=True)
    for number, part in enumerate(parts):
        part.write_bytes(bytes([number]) * 5_300_000)
    assert store.publish(parts[0], "deep/er/x.bin")
    assert not store.publish(parts[1], "deep/er/x.bin")
    assert store.get("deep/er/x.bin") == bytes(5_300_000)
    store.replace(parts[2], "deep/er/x.bin")
    assert store.get("deep/er/x.bin")[0] == 2


def test_a_listing_holds_every_name_once(store: Store) -> None:
    names = {f"{folder}{number:03d}.jpg" for folder in ("", "b/", "b/c/") for number in range(9)}
    for name in names:
        store.write(name, name.encode())
    found = list(store.entries())
    assert len(found) == len(names)
    assert {entry.name for entry in found} == names
    assert all(entry.size == len(entry.name) for entry in found)
    assert {entry.name for entry in store.entries("b")} == {n for n in names if n[0] == "b"}
    assert not list(store.entries("none"))


def test_of_eight_processes_that_race_one_wins(bucket: str, tmp_path: Path) -> None:
    addresses = [str(tmp_path / "store"), f"s3://{bucket}/below"]
    context = multiprocessing.get_context("spawn")
    gate, results = context.Barrier(8), context.Queue()
    racers = [
        context.Process(target=race, args=(addresses, mark, 20, gate, results)) for mark in range(8)
    ]
    for racer in racers:
        racer.start()
    won = dict(results.get(timeout=120) for _ in racers)
    for racer in racers:
        racer.join()
    for address in addresses:
        store = open_store(address)
        for number in range(20):
            (winner,) = [mark for mark in won if number in won[mark][address]]
            assert store.get(f"{number}") == b"%d" % winner


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.binary(max_size=20))))
def test_a_folder_is_as_a_dictionary_would_be(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bool, bytes]]
) -> None:
    store = Folder(tmp_path_factory.mktemp("model"))
    model: dict[str, bytes] = {}
    for name, absent, data in steps:
        if absent:
            assert store.put(name, data) == (model.setdefault(name, data) == data)
        else:
            store.write(name, data)
            model[name] = data
        assert {entry.name: store.get(entry.name) for entry in store.entries()} == model


def test_a_store_that_is_busy_is_asked_again(
    bucket: str, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", flaky.address)
    store = open_store(f"s3://{bucket}", QUICK)
    flaky.rules.busy = 6
    assert store.put("a", b"1")
    assert store.get("a") == b"1"
    assert not store.put("a", b"2")
    assert [entry.name for entry in store.entries()] == ["a"]
    assert flaky.rules.busy < 6
    flaky.rules.busy, flaky.rules.often = 1000, 1.0
    once = open_store(f"s3://{bucket}", Patience(attempts=1))
    with pytest.raises(OutputError, match=f"s3://{bucket}/a: .*reduce your request rate"):
        once.get("a")


def test_a_bucket_that_is_not_there_is_named(bucket: str) -> None:
    with pytest.raises(UnreadableError, match=f"s3://{bucket}-none: there is no such bucket"):
        list(open_store(f"s3://{bucket}-none", QUICK).entries())
    for name in ("write", "put"):
        with pytest.raises(OutputError, match=f"s3://{bucket}-none: there is no such bucket"):
            getattr(open_store(f"s3://{bucket}-none", QUICK), name)("a", b"1")


def test_an_address_with_a_signature_is_told_without_it() -> None:
    store = open_store("http://user:word@127.0.0.1:9", Patience(attempts=1))
    with pytest.raises(OutputError) as caught:
        store.get("list.txt?signature=1234")
    assert str(caught.value).startswith("http://127.0.0.1:9/list.txt: ")
    assert "1234" not in str(caught.value)
    assert "word" not in str(caught.value)


def test_addresses_are_shown_without_secrets() -> None:
    secret = "https://user:word@host/a/b.jpg?X-Amz-Signature=1234"
    assert without_secrets(secret) == "https://host/a/b.jpg"
    text = f"404, message='Not\nFound', url='{secret}'"
    assert text_without_secrets(text) == "404, message='Not Found', url='https://host/a/b.jpg'"
    assert without_secrets("s3://key:word@bucket/a#b?c.jpg") == "s3://bucket/a#b?c.jpg"
    assert without_secrets("abfs://box@account.dfs.net/a") == "abfs://box@account.dfs.net/a"
    assert without_secrets("/a/b?c.jpg") == "/a/b?c.jpg"
    with pytest.raises(UsageError, match="is none of s3"):
        open_store("ftp://host/a")


def test_a_disk_without_hard_links_has_one_winner_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", none)
    store = Folder(tmp_path)
    assert store.put("a", b"1")
    assert not store.put("a", b"2")
    assert store.get("a") == b"1"
    assert [entry.name for entry in store.entries()] == ["a"]
