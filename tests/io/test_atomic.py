"""Writing whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from undark.errors import OutputError
from undark.io.atomic import write_atomically
from undark.io.formats import WRITABLE_FORMATS
from undark.io.photo import write_photo
from undark.photo import Photo


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_bytes_and_writers(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "näme.txt"
    write_atomically(path, b"one")
    assert path.read_bytes() == b"one"
    write_atomically(path, lambda file: file.write(b"two"))
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["näme.txt"]


def test_long_names_fit(tmp_path: Path) -> None:
    path = tmp_path / ("夜" * 80 + ".jpg")
    write_atomically(path, b"x")
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError(errno.ENOSPC, "full")])
def test_nothing_is_left_of_a_failure(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"old")

    def fails(file: BinaryIO) -> None:
        file.write(b"half")
        file.flush()
        assert len(names(tmp_path)) == 2, "it is written beside"
        raise error

    with pytest.raises(OutputError if isinstance(error, OSError) else error):
        write_atomically(path, fails)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["x.png"]


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_failing_disks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=rf"x\.png: could not be written: .*{says}") as caught:
        write_atomically(tmp_path / "x.png", b"data")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(OutputError, match=r"x\.png: .*no permission"):
        write_atomically(tmp_path / "x.png", b"data")


def test_folder_and_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="folder: is a folder"):
        write_atomically(tmp_path / "folder", b"")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        write_atomically(tmp_path / "file" / "x.png", b"")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        write_atomically(tmp_path / "file" / "deeper" / "x.png", b"")


def test_overwrite_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    write_atomically(path, b"one", overwrite=False)
    with pytest.raises(OutputError, match="already exists"):
        write_atomically(path, b"two", overwrite=False)
    assert path.read_bytes() == b"one"


def test_permissions(tmp_path: Path) -> None:
    def mode(name: str) -> int:
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "new", b"")
    assert mode("new") == mode("plain"), "as any new file, not private"
    (tmp_path / "plain").chmod(0o640)
    write_atomically(tmp_path / "plain", b"")
    assert mode("plain") == 0o640


def test_a_link_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"precious")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert (link.read_bytes(), target.read_bytes()) == (b"new", b"precious")
    assert not link.is_symlink()


def test_a_full_disk_leaves_no_photo(tmp_path: Path, make_photo: Callable[..., Photo]) -> None:
    """A real limit on file size, which the system enforces, in a process of its own."""
    source = tmp_path / "source.png"
    write_photo(make_photo("PNG", size=(300, 300)), source)
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from undark.errors import OutputError\n"
        "from undark.io.photo import read_photo, write_photo\n"
        "photo = read_photo(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (512, resource.RLIM_INFINITY))\n"
        "for format in sys.argv[3:]:\n"
        "    try: write_photo(photo, Path(sys.argv[2]), format=format)\n"
        "    except OutputError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, source, tmp_path / "out.img", *WRITABLE_FORMATS],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = result.stdout.splitlines()
    assert len(lines) == len(WRITABLE_FORMATS)
    for line in lines:
        assert "out.img: could not be written: the file would be larger" in line
    assert result.stderr == ""
    assert names(tmp_path) == ["source.png"]
