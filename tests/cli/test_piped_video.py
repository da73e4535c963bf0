"""Videos from URLs, pipes and files without a name of a video, and to stdout."""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep

import av
import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from undark.cli.app import app
from undark.io.video import network
from video_files import grainy, packets, pictures, scene, times, write_video

Undark = Callable[..., Result]


@pytest.fixture
def options(curve_model: Path) -> list[str]:
    return ["-m", str(curve_model), "--runtime", "onnxruntime", "--threads", "1"]


@pytest.fixture
def undark(options: list[str]) -> Undark:
    def run(*arguments: object, piped: bytes = b"") -> Result:
        words = [str(item) for item in ["enhance", *arguments, *options]]
        return CliRunner().invoke(app, words, input=piped)

    return run


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


@pytest.fixture
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that a server has made for itself, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    names = "subjectAltName=IP:127.0.0.1"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", path, "-out", f"{path}.crt", "-days", "2", "-subj", "/CN=here",
         "-addext", names],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@pytest.fixture
def stalling(tmp_path: Path) -> Iterator[Callable[[bytes], str]]:
    """Begins a server that sends so much of an answer, and no more."""
    over = threading.Event()
    servers: list[socket.socket] = []

    def begin(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve(client: socket.socket) -> None:
            with client:
                client.recv(4096)
                client.sendall(answer)
                over.wait()

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"

    yield begin
    over.set()
    for server in servers:
        server.close()


def test_a_server_that_says_nothing_is_given_up(
    undark: Undark, stalling: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "PATIENCE", 0.5)
    url = stalling(b"")
    done = undark(url, "-o", "out.mkv")
    assert done.exit_code == 1
    assert f"{url}: cannot be read: nothing came for a while" in done.stderr


def test_a_stream_that_stalls_leaves_what_came(
    undark: Undark,
    tmp_path: Path,
    stalling: Callable[[bytes], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "PATIENCE", 1.0)
    source = write_video(tmp_path / "a.ts", grainy(scene(14), 120), sound=True)
    data = source.read_bytes()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nContent-Length: 9999999\r\n\r\n"
    url = stalling(head + data[: len(data) * 2 // 3])
    target = tmp_path / "out.mkv"
    done = undark(url, "-o", target)
    assert done.exit_code == 1
    assert f"{url}: nothing came for" in done.stderr
    assert not target.exists()
    assert 20 < len(pictures(tmp_path / "out.partial.mkv")) < 100
    assert str(tmp_path / "out.partial.mkv") in done.stderr


def test_an_mp4_with_its_index_at_the_end(undark: Undark, tmp_path: Path, server: str) -> None:
    # Python's server sends a file only whole, from its begin.
    clip(tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes().find(b"mdat") < 100
    done = undark(f"{server}/a.mp4", "-o", tmp_path / "b.mp4")
    assert done.exit_code == 0, done.stderr
    assert times(tmp_path / "b.mp4") == times(tmp_path / "a.mp4")
    assert is_bright(tmp_path / "b.mp4")


def test_a_certificate_is_checked(
    undark: Undark, tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip(tmp_path / "a.mkv")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path))) as http:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        http.socket = context.wrap_socket(http.socket, server_side=True)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        url = f"https://127.0.0.1:{http.server_address[1]}/a.mkv"
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        done = undark(url, "-o", tmp_path / "b.mkv")
        assert done.exit_code == 1
        assert f"{url}: its certificate is not trusted here" in done.stderr
        assert not (tmp_path / "b.mkv").exists()
        monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
        done = undark(url, "-o", tmp_path / "b.mkv")
        http.shutdown()
    assert done.exit_code == 0, done.stderr
    assert is_bright(tmp_path / "b.mkv")


def clip(path: Path) -> Path:
    return write_video(path, grainy(scene(14), 12), sound=True)


def is_bright(path: Path) -> bool:
    return len(pictures(path)) == 12 and float(np.mean(pictures(path))) > 40


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_a_url_is_an_input(
    undark: Undark, tmp_path: Path, server: str, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip(tmp_path / f"a{suffix}")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    done = undark(f"{server}/a{suffix}?token=x")
    assert done.exit_code == 0, done.stderr
    (made,) = here.iterdir()
    assert made.name == ("a.undark.mkv" if suffix == ".ts" else f"a.undark{suffix}")
    assert is_bright(made)
    assert undark(f"{server}/a{suffix}", "-o", "out/b.mkv").exit_code == 0
    assert is_bright(here / "out" / "b.mkv")


def test_a_url_that_is_none_is_a_line(undark: Undark, tmp_path: Path, server: str) -> None:
    done = undark(f"{server}/none.mp4", "-o", tmp_path / "b.mp4")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith(f"undark: {server}/none.mp4: cannot be read")
    assert not (tmp_path / "b.mp4").exists()
    done = undark(f"{server}/a.mp4", f"{server}/b.mp4")
    assert done.exit_code == 2
    assert "cannot be mixed with other inputs" in done.stderr


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize("through", ["a pipe", "a file"])
def test_stdin_and_stdout(tmp_path: Path, options: list[str], name: str, through: str) -> None:
    source = clip(tmp_path / name)
    command = [sys.executable, "-m", "undark", "enhance", "-", *options]
    with source.open("rb") as file:
        how = {"input": source.read_bytes()} if through == "a pipe" else {"stdin": file}
        done = subprocess.run(command, capture_output=True, check=False, timeout=60, **how)
    assert done.returncode == 0, done.stderr
    target = tmp_path / "b.mkv"
    target.write_bytes(done.stdout)
    assert is_bright(target)
    with av.open(str(target)) as found:
        assert found.format.name == "matroska,webm"
    before, after = packets(source, "audio"), packets(target, "audio")
    # In MPEG-TS each packet begins with what Matroska says once.
    for (_, was), (_, now) in zip(before, after, strict=True):
        assert was.endswith(now)
        assert len(was) - len(now) == (7 if name == "a.ts" else 0)


def test_a_part_of_a_pipe(undark: Undark, tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", grainy(scene(14), 50), options={"g": "10"})
    done = undark(
        "-", "--from", "0.8", "--to", "1.2", "-o", tmp_path / "b.mkv", piped=source.read_bytes()
    )
    assert done.exit_code == 0, done.stderr
    assert times(tmp_path / "b.mkv") == pytest.approx([n / 25 for n in range(10)], abs=1e-3)


def test_a_photo_on_stdin_is_still_one(undark: Undark, tmp_path: Path) -> None:
    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(scene(14)).save(held, "PNG")
    done = undark("-", piped=held.getvalue())
    assert done.exit_code == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout_bytes)) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-", "--json"], "the video goes to stdout, and so would --json"),
        (["-", "--in-place"], "cannot be replaced in place"),
        (["-", "-"], "cannot be mixed"),
        (["a.png", "-o", "-"], "only videos go from a file to stdout"),
    ],
)
def test_wrong_usage(undark: Undark, tmp_path: Path, arguments: list[str], says: str) -> None:
    source = clip(tmp_path / "a.mkv")
    done = undark(*arguments, piped=source.read_bytes())
    assert done.exit_code == 2
    assert says in done.stderr


def test_a_file_to_stdout(undark: Undark, tmp_path: Path) -> None:
    done = undark(clip(tmp_path / "a.mp4"), "-o", "-")
    assert done.exit_code == 0, done.stderr
    (tmp_path / "b.mkv").write_bytes(done.stdout_bytes)
    assert is_bright(tmp_path / "b.mkv")


def test_what_is_there_is_not_replaced_unasked(undark: Undark, tmp_path: Path) -> None:
    data = clip(tmp_path / "a.mkv").read_bytes()
    (tmp_path / "b.mkv").write_bytes(b"mine")
    done = undark("-", "-o", tmp_path / "b.mkv", piped=data)
    assert done.exit_code == 1
    assert "b.mkv: exists" in done.stderr
    assert (tmp_path / "b.mkv").read_bytes() == b"mine"
    assert undark("-", "-o", tmp_path / "b.mkv", "--overwrite", piped=data).exit_code == 0
    assert is_bright(tmp_path / "b.mkv")


@pytest.mark.parametrize("name", ["clip", "clip.bin", "night.2026"])
@pytest.mark.parametrize("kind", [".mp4", ".ts", ".mkv", ".avi"])
def test_a_file_whose_name_says_nothing(
    undark: Undark, tmp_path: Path, name: str, kind: str
) -> None:
    made = clip(tmp_path / f"made{kind}")
    source = made.rename(tmp_path / name)
    done = undark(source)
    assert done.exit_code == 0, done.stderr
    assert is_bright(tmp_path / f"{name}.undark.mkv")


@pytest.mark.parametrize("suffix", [".nut", ".asf", ".mxf", ".m2v", ".f4v"])
def test_other_suffixes(undark: Undark, tmp_path: Path, suffix: str) -> None:
    codec = "mpeg2video" if suffix in (".mxf", ".m2v") else "libx264"
    write_video(tmp_path / "in" / f"a{suffix}", grainy(scene(14), 12), codec=codec, options={})
    done = undark(tmp_path / "in")
    assert done.exit_code == 0, done.stderr
    assert is_bright(tmp_path / "in" / "a.undark.mkv")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to send")
def test_a_stream_that_is_stopped_leaves_what_was_done(tmp_path: Path, options: list[str]) -> None:
    """A stream without an end, as a camera's is."""
    frames = list(grainy(scene(14), 10))
    source = write_video(tmp_path / "a.ts", frames * 40, sound=True)
    target = tmp_path / "b.mkv"
    # Cleaned, it would be too small for FFmpeg to write any of it before the end.
    words = ["enhance", "-", "-o", str(target), "--denoise", "0", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "undark", *words],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(source.read_bytes())
    process.stdin.flush()
    begin = monotonic()
    while not [path for path in tmp_path.glob(".*") if path.stat().st_size > 20_000]:
        assert process.poll() is None, process.communicate()
        assert monotonic() - begin < 60
        sleep(0.02)
    process.send_signal(signal.SIGINT)
    # The stream is at hand when it was waited for, and so is its stop.
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    part = tmp_path / "b.partial.mkv"
    assert f"{part}: the part that was finished".encode() in errors
    assert b"continues" not in errors
    assert len(pictures(part)) > 20
    assert not target.exists()


def test_text_is_no_video(undark: Undark, tmp_path: Path) -> None:
    for name in ("notes", "notes.txt", "notes.lrc"):
        (tmp_path / name).write_text("[00:01.00] no video\n" * 20, encoding="utf-8")
        done = undark(tmp_path / name)
        assert done.exit_code == 1
        assert "is not an image" in done.stderr
