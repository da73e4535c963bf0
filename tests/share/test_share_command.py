"""`undark share`: a page that holds all it shows, of photos of any kind."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from page_reader import Page
from PIL import Image
from typer.testing import CliRunner

from undark.cli.app import app
from undark.io.metadata.icc import cicp_profile, srgb_profile
from undark.io.photo import write_photo
from undark.photo import Cicp, Photo

Write = Callable[..., Path]
ORANGE = (200, 120, 40)


def undark(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(item) for item in arguments])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plain(
    path: str, colour: tuple[int, int, int] = ORANGE, size: tuple[int, int] = (60, 40)
) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def test_a_pair_becomes_one_page_that_fetches_nothing(here: Path) -> None:
    plain("a.png", (30, 20, 10)), plain("b.png")
    done = undark("share", "a.png", "b.png", "-o", "out/p.html", "--title", "Night & <day>")
    assert (done.exit_code, done.stdout) == (0, "out/p.html\n"), done.stderr
    page = Page(here / "out" / "p.html")
    assert page.text["title"] == page.text["h1"] == "Night & <day>"
    assert [image["alt"] for image in page.images] == ["b.png, before", "b.png, after"]
    assert all(address.startswith("data:") for address in page.addresses)
    assert "://" not in re.sub(r"data:[^\"]*", "", page.path.read_text())
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.text[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in page.policy
    assert page.policy.startswith("default-src 'none'; img-src data:;")
    for number, colour in enumerate([(30, 20, 10), ORANGE]):
        shown = np.asarray(page.photo(number), int)
        assert shown.shape == (40, 60, 3)
        assert np.abs(shown - colour).max() <= 4


def test_a_page_is_replaced_only_when_asked(here: Path) -> None:
    plain("a.png"), plain("b.png"), Path("p.html").write_text("mine")
    done = undark("share", "a.png", "b.png", "-o", "p.html")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "undark: p.html: already exists (--overwrite)\n"
    assert Path("p.html").read_text() == "mine"
    assert undark("share", "a.png", "b.png", "-o", "p.html", "--overwrite").exit_code == 0
    assert len(Page(here / "p.html").images) == 2


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ((60, 40), (60, 40), (60, 40)),
        ((120, 80), (60, 40), (60, 40)),
        ((60, 40), (121, 81), (121, 81)),
        ((300, 200), (300, 200), (64, 43)),
        ((60, 40), (40, 60), None),
        ((60, 40), (60, 44), None),
    ],
)
def test_sizes_agree_or_are_an_error(
    here: Path, before: tuple[int, int], after: tuple[int, int], shown: tuple[int, int] | None
) -> None:
    plain("a.png", size=before), plain("b.png", size=after)
    limit = 64 if shown == (64, 43) else 2048
    done = undark("share", "a.png", "b.png", "-o", "p.html", "--max-side", limit)
    if shown is None:
        assert done.exit_code == 2
        assert "a.png (60×40) and b.png" in done.stderr
        assert "different shapes" in done.stderr
        assert {path.name for path in here.iterdir()} == {"a.png", "b.png"}
    else:
        assert done.exit_code == 0, done.stderr
        page = Page(here / "p.html")
        assert [page.photo(number).size for number in (0, 1)] == [shown, shown]
        assert (page.images[0]["width"], page.images[1]["height"]) == tuple(map(str, shown))


@pytest.mark.parametrize("kind", ["p3.tif", "gray.png", "alpha.png", "pq.avif", "x.heic", "x.webp"])
def test_photos_of_any_kind_are_shown_in_srgb(here: Path, kind: str) -> None:
    colour = np.array(ORANGE)
    pixels = np.broadcast_to((colour * 257).astype(np.uint16), (40, 60, 3)).copy()
    eight = (pixels >> 8).astype(np.uint8)
    p3 = cicp_profile(Cicp(12, 13))
    photo = {
        "p3.tif": Photo(pixels, icc=p3),
        "gray.png": Photo(np.full((40, 60, 3), 90, np.uint8), gray=True),
        "alpha.png": Photo(eight, np.full((40, 60), 100, np.uint8)),
        "pq.avif": Photo((pixels * 0.5).astype(np.uint16), cicp=Cicp(9, 16, 9)),
        "x.heic": Photo(eight, icc=srgb_profile()),
        "x.webp": Photo(eight),
    }[kind]
    write_photo(photo, kind)
    plain("b.png")
    done = undark("share", kind, "b.png", "-o", "p.html")
    assert done.exit_code == 0, done.stderr
    shown = Page(here / "p.html").photo(0)
    assert shown.info.get("icc_profile") is None
    mean = np.asarray(shown.convert("RGBA"), float).mean(axis=(0, 1))
    match kind:
        case "p3.tif":  # more red than sRGB's number for it, less blue
            assert mean[0] > ORANGE[0] + 6
            assert mean[2] < ORANGE[2] - 6
        case "gray.png":
            assert np.abs(mean[:3] - 90).max() < 2
        case "alpha.png":
            assert abs(mean[3] - 100) < 2
            assert np.abs(mean[:3] - ORANGE).max() < 4
        case "pq.avif":
            assert mean[0] > mean[1] > mean[2]
            assert not np.allclose(mean[:3], colour / 2, atol=8)
        case _:
            assert np.abs(mean[:3] - ORANGE).max() < 5


def test_exif_stays_out_unless_asked(here: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera maker"
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (60, 40), ORANGE).save(name, exif=exif)
    undark("share", "a.jpg", "b.jpg", "-o", "p.html")
    assert not Page(here / "p.html").photo(0).getexif()
    undark("share", "a.jpg", "b.jpg", "-o", "q.html", "--exif")
    assert Page(here / "q.html").photo(1).getexif()[0x010F] == "Camera maker"


def test_results_find_their_sources(here: Path, gain_model: Path, dark_photo: Write) -> None:
    for number, name in enumerate(("in/a.jpg", "in/b.jpg", "in/deep/c.jpg")):
        dark_photo(Path(name), level=20 + number)
    made = undark("enhance", "in", "-m", gain_model, "-o", "out", "--recursive", "--exposure", 0.5)
    assert made.exit_code == 0, made.stderr
    dark_photo(Path("out/theirs.jpg"))
    done = undark("share", "out", "--sources", "in")
    assert (done.exit_code, done.stdout) == (0, "out/out.html\n"), done.stderr
    page = Page(here / "out" / "out.html")
    assert len(page.images) == 4
    assert "gain, exposure 0.5 EV" in page.text["small"]
    done = undark("share", "out/deep/c.jpg", "--sources", "in")
    assert (done.exit_code, done.stdout) == (0, "out/deep/c.html\n"), done.stderr
    # Two results are not before and after of one another, a result and its source are.
    done = undark("share", "out/a.jpg", "out/b.jpg", "--sources", "in", "-o", "two.html")
    assert len(Page(here / "two.html").images) == 4
    assert undark("share", "in/a.jpg", "out/a.jpg", "-o", "one.html").exit_code == 0
    assert len(Page(here / "one.html").images) == 2
    again = undark("enhance", "out/a.jpg", "-m", gain_model, "-o", "twice/")
    assert again.exit_code == 0, again.stderr
    assert undark("share", "out/a.jpg", "twice/a.jpg", "-o", "on.html").exit_code == 0
    assert len(Page(here / "on.html").images) == 2


def test_a_result_lies_beside_its_source_under_any_name(
    here: Path, gain_model: Path, dark_photo: Write
) -> None:
    dark_photo(Path("a.png"))
    undark("enhance", "a.png", "-m", gain_model)
    Path("a.png").rename("moved.png")
    dark_photo(Path("a.png"), level=90)
    done = undark("share", "a.undark.png")
    assert (done.exit_code, done.stdout) == (0, "a.undark.html\n"), done.stderr
    page = Page(here / "a.undark.html")
    assert np.asarray(page.photo(0)).mean() < 30
    assert page.text["h1"] == "a"


def test_a_result_without_its_source_is_told(
    here: Path, gain_model: Path, dark_photo: Write
) -> None:
    dark_photo(Path("a.png")), dark_photo(Path("b.png"), level=30)
    undark("enhance", "a.png", "b.png", "-m", gain_model)
    Path("a.png").unlink()
    done = undark("share", "a.undark.png", "-o", "p.html")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "a.undark.png: its source is not in ." in done.stderr
    assert len(done.stderr.splitlines()) == 1
    done = undark("share", ".", "-o", "p.html")
    assert (done.exit_code, done.stdout) == (1, "p.html\n")
    assert "(left out)" in done.stderr
    assert len(Page(here / "p.html").images) == 2


def test_what_cannot_be_shared_is_one_line(here: Path) -> None:
    plain("a.png"), plain("b.png"), Path("torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    Path("empty").mkdir()
    for inputs, code, says in (
        (["a.png"], 2, "a.png: has no record"),
        (["a.png", "b.png", "a.png"], 2, "in pairs"),
        (["a.png", "none.png"], 1, "none.png: there is no such file"),
        (["a.png", "torn.jpg"], 1, "torn.jpg"),
        (["empty"], 1, "empty: holds no result"),
        (["a.png", "b.png", "--sources", "none"], 1, "none: there is no such folder"),
    ):
        done = undark("share", *inputs, "-o", "p.html")
        assert (done.exit_code, done.stdout) == (code, ""), (inputs, done.stderr)
        assert says in done.stderr
        assert len(done.stderr.splitlines()) == 1
    # The first pair was written when the second failed: nothing bears the name.
    assert undark("share", "a.png", "b.png", "a.png", "torn.jpg", "-o", "p.html").exit_code == 1
    assert not list(here.glob("*part*"))
    assert not Path("p.html").exists()
