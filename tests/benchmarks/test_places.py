"""`benchmarks/places.py` on small photos whose light is known."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from undark.evaluate.run import Contender
from undark.photo import Photo

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "places.py"


@pytest.fixture(scope="module")
def places() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("places", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["places"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["places"]


def photo(*parts: tuple[float, int], columns: int = 10) -> Photo:
    """A grey photo of ten rows: each part is a level and over how many rows it goes."""
    levels = np.concatenate([np.full(rows, level) for level, rows in parts])
    pixels = np.rint(255 * levels)[:, None, None] * np.ones((1, columns, 3))
    return Photo(pixels.astype(np.uint8))


LAMP = photo((0.49, 2), (0.01, 8))
AGAINST_THE_SKY = photo((0.1, 4), (0.7, 6))
PLAIN = photo((0.15, 10))


def doubled(dark: Photo) -> Photo:
    return dark.with_pixels(np.minimum(dark.pixels.astype(int) * 2, 255).astype(np.uint8))


def untouched(dark: Photo) -> Photo:
    return dark


CONTENDERS = [Contender("doubled", doubled), Contender("untouched", untouched)]


def test_a_photo_is_of_the_kinds_that_its_light_makes_it(places: ModuleType) -> None:
    def kinds(dark: Photo) -> set[str]:
        return places.kinds(places.luma(dark.rgb()))

    assert kinds(LAMP) == {"lamp-lit"}
    assert kinds(AGAINST_THE_SKY) == {"backlit"}
    assert kinds(PLAIN) == {"rest"}
    assert kinds(photo((0.6, 2), (0.0, 8))) == {"lamp-lit", "backlit"}
    assert kinds(photo((0.49, 4), (0.02, 6))) == {"rest"}, "its mean is too high"
    assert kinds(photo((0.5, 1), (0.05, 9))) == {"rest"}, "nothing in it is black"
    assert kinds(photo((0.1, 2), (0.7, 8))) == {"rest"}, "a fifth is not over a fifth"


def test_what_a_doubled_lamp_comes_to(places: ModuleType) -> None:
    values = places.judged(LAMP, doubled(LAMP))
    assert values == {"burnt": 1.0, "black_becomes": pytest.approx(6 / 255)}
    assert places.judged(LAMP, LAMP) == {"burnt": 0.0, "black_becomes": pytest.approx(3 / 255)}


def test_what_doubled_shadows_come_to(places: ModuleType) -> None:
    values = places.judged(AGAINST_THE_SKY, doubled(AGAINST_THE_SKY))
    before, after = 26 / 255, 52 / 255
    assert values["shadows_rise"] == pytest.approx(math.log2((after + 0.01) / (before + 0.01)))
    assert values["untouched"] == 0
    assert values["blown_added_backlit"] == pytest.approx(60)
    kept = places.judged(AGAINST_THE_SKY, AGAINST_THE_SKY)
    assert kept == {"shadows_rise": 0, "untouched": 1, "blown_added_backlit": 0}


def test_pixels_of_other_levels_do_not_count(places: ModuleType) -> None:
    before = np.array([[0.34, 0.35, 0.8, 0.81, 0.0, 0.029, 0.03]], np.float32)
    after = np.array([[1.0, 0.95, 0.949, 1.0, 0.2, 0.4, 1.0]], np.float32)
    assert places.burnt(before, after) == 0.5
    assert places.black_becomes(before, after) == pytest.approx(0.3)
    assert places.blown_added(before, after) == pytest.approx(100 * 3 / 7)
    assert math.isnan(places.burnt(after[:, :1], after[:, :1]))
    assert math.isnan(places.shadows_rise(after[:, :1], after[:, :1]))


def test_a_large_photo_is_shrunk_and_a_small_one_stays(places: ModuleType) -> None:
    wide = Photo(np.full((100, 400, 3), 3000, np.uint16))
    result = places.shrunk(wide, 200)
    assert (result.height, result.width) == (50, 200)
    assert result.pixels.dtype == np.uint16
    assert (result.pixels == 3000).all()
    assert np.array_equal(places.shrunk(LAMP, 700).pixels, LAMP.pixels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "photos"
    made.mkdir()
    for name, dark in (("lamp", LAMP), ("sky", AGAINST_THE_SKY), ("plain", PLAIN)):
        Image.fromarray(dark.pixels).save(made / f"{name}.png")
    (made / "broken.png").write_bytes(b"no picture")
    return made


def test_means_are_over_the_photos_of_a_kind(
    places: ModuleType, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts, rows = places.on_photos(sorted(folder.iterdir()), CONTENDERS, 700)
    assert counts == {"photos": 3, "lamp-lit": 1, "backlit": 1, "rest": 1}
    assert "broken.png" in capsys.readouterr().err
    assert rows["doubled"]["burnt"] == 1
    assert rows["untouched"]["untouched"] == 1
    assert rows["untouched"]["blown_added_rest"] == 0
    _, rows = places.on_photos([folder / "lamp.png"], CONTENDERS, 700)
    assert math.isnan(rows["doubled"]["shadows_rise"]), "no photo of that kind"
    assert places.formed("shadows_rise", math.nan) == "–"


def test_the_tables_and_the_json_say_the_same(
    places: ModuleType, folder: Path, gain_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = folder.parent / "pairs"
    for side, factor in (("low", 1), ("high", 4)):
        (pairs / side).mkdir(parents=True)
        red = np.zeros((16, 16, 3), np.uint8) + np.array([50, 20, 20], np.uint8)
        Image.fromarray((red * factor).astype(np.uint8)).save(pairs / side / "red.png")
    asked = [str(folder), "--pairs", str(pairs), "-m", str(gain_model), "--baselines"]
    places.main(asked)
    text = capsys.readouterr().out
    assert "3 photos (1 lamp-lit, 1 backlit, 1 rest)" in text
    assert f"| {gain_model} | 100% |" in text
    assert "| identity | 0% |" in text
    places.main([*asked, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["photos"][0]["counts"]["photos"] == 3
    assert found["photos"][0]["models"][str(gain_model)]["burnt"] == 1
    models = found["pairs"][0]["models"]
    assert models[str(gain_model)]["psnr"] is None, "infinite"
    assert models[str(gain_model)]["chroma_ratio"] == pytest.approx(1)
    assert models[str(gain_model)]["delta_e2000"] == pytest.approx(0)
    assert models["identity"]["chroma_ratio"] < 0.5


@pytest.mark.parametrize("arguments", [[], ["--baselines"], ["photos"], ["nowhere", "--baselines"]])
def test_what_is_missing_is_said(
    places: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        places.main(arguments)
    assert "error:" in capsys.readouterr().err
