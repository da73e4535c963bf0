"""HDR images photographed, darkness in places, and splits that agree between folders."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from undark.errors import DataError
from undark.photo import to_float
from undark.pixels.colour import LUMA, luma
from undark.train.data.datasets import load_datasets
from undark.train.data.fields import darken_locally
from undark.train.data.hdr import load_hdr, photograph
from undark.train.data.stream import BatchStream
from undark.train.recipe import Augment, Data, Source


def store(folder: Path, name: str, light: np.ndarray) -> str:
    """Write an HDR image as `load_hdr` reads it, and give its line of maps.csv."""
    exponent = np.log2(light).astype(np.float32)
    small = (light.shape[1] // 8, light.shape[0] // 8)
    base = cv2.resize(exponent, small, interpolation=cv2.INTER_AREA)
    low, high = float(base.min()), float(base.max())
    stored = np.rint((base - low) / (high - low) * 65535).astype(np.uint16)
    cv2.imwrite(str(folder / f"{name}.png"), stored[..., ::-1])
    wide = cv2.resize(stored.astype(np.float32), light.shape[1::-1])
    detail = (exponent - (low + (high - low) * wide / 65535) + 5) * 25.5
    Image.fromarray(np.rint(np.clip(detail, 0, 255)).astype(np.uint8)).save(
        folder / f"{name}.jpg", quality=100, subsampling=0
    )
    return f"{name},{low},{high}"


def night() -> np.ndarray:
    """A lit wall and a lamp under a black sky: linear light over 14 EV."""
    light = np.full((240, 400, 3), 0.002)
    light[120:] = 0.6
    light[120:] *= 0.6 + 0.4 * np.random.default_rng(0).random((120, 400, 1))
    light[40:60, 180:200] = 30.0
    return light * (1.0, 0.9, 0.7)


@pytest.fixture
def hdr(tmp_path: Path) -> Path:
    lines = [store(tmp_path, f"night_{i}", night() * (1 + i)) for i in range(8)]
    (tmp_path / "maps.csv").write_text("name,low,high\n" + "\n".join(lines))
    return tmp_path


def test_an_image_comes_back_up_to_a_scale(hdr: Path):
    image = load_hdr(hdr)[0]
    found, wanted = luma(image.light.astype(np.float32)), luma(night().astype(np.float32))
    difference = np.log2(found) - np.log2(wanted)
    assert np.median(np.abs(difference - np.median(difference))) < 0.05


def test_what_is_lit_is_right_in_the_truth_and_the_sky_stays_black(hdr: Path):
    low, high = photograph(load_hdr(hdr)[0], np.random.default_rng(1), under=3.0)
    assert low.shape == high.shape == (240, 320, 3)
    truth, dark = luma(to_float(high)), luma(to_float(low))
    assert 0.35 < truth[130:].mean() < 0.8
    assert truth[:30].mean() < 0.2
    assert dark[130:].mean() < 0.6 * truth[130:].mean()


def test_missing_tables_and_files_are_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"maps\.csv: cannot be read"):
        load_hdr(tmp_path)
    (tmp_path / "maps.csv").write_text("name,low,high\nsquare,0,1\n")
    with pytest.raises(DataError, match="square"):
        load_hdr(tmp_path)
    (tmp_path / "maps.csv").write_text("name,from\nsquare,0\n")
    with pytest.raises(DataError, match="not a table of HDR images"):
        load_hdr(tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_local_darkness_leaves_some_places_as_they_are(seed: int):
    random = np.random.default_rng(seed)
    photo = cv2.resize(random.integers(60, 250, (12, 16, 3), np.uint8), (160, 120))
    low, high = darken_locally(photo, np.random.default_rng(seed))
    assert low.shape == high.shape == photo.shape
    lost = np.log2((luma(to_float(high)) + 0.01) / (luma(to_float(low)) + 0.01))
    lost = cv2.blur(lost, (9, 9))
    assert np.quantile(lost, 0.95) - np.quantile(lost, 0.05) > 0.25


def test_renders_are_drawn_with_guides_and_whole_images_are_held_out(hdr: Path):
    data = Data(sources=(Source(kind="render"),), held_out=0.25)
    datasets, held = load_datasets(
        data, root=hdr, glance=16, seed=1, notify=lambda _: None, guides=True
    )
    (unseen,) = held.values()
    assert len(datasets[0]) == 6
    assert len({pair.name.split()[0] for pair in unseen}) == 2
    assert {pair.name.split(maxsplit=1)[1] for pair in unseen} == {"2 EV under", "4 EV under"}
    augment = Augment(rotate=0.0, exposure=0.0, noise=0.0)
    stream = BatchStream(datasets, crop=32, batch=3, augment=augment, seed=1, places=True)
    batch = stream.at(5)
    assert batch["guide"].shape == (3, 1, 32, 32)
    assert 0.0 <= float(batch["guide"].min()) <= float(batch["guide"].max()) <= 1.0
    assert all((stream.at(5)[key] == value).all() for key, value in batch.items())


def test_two_folders_of_the_same_scenes_hold_out_the_same(tmp_path: Path):
    for folder, count in (("one", 1), ("two", 3)):
        (tmp_path / folder).mkdir()
        lines = ["scene,low,high"]
        for scene in range(8):
            for shot in range(count):
                for side in ("low", "high"):
                    level = 20 * (side == "high") + scene + shot
                    image = Image.fromarray(np.full((40, 40, 3), 10 + level, np.uint8))
                    image.save(tmp_path / folder / f"{scene}_{shot}_{side}.png")
                lines.append(f"s{scene},{scene}_{shot}_low.png,{scene}_{shot}_high.png")
        (tmp_path / folder / "pairs.csv").write_text("\n".join(lines))
    sources = (Source(path="one"), Source(path="two", held_with="one"))
    data = Data(sources=sources, held_out=0.25, run=1)
    datasets, held = load_datasets(data, root=tmp_path, glance=0, seed=1, notify=lambda _: None)
    apart = [{pair.name.split("_")[0] for pair in pairs} for pairs in held.values()]
    assert apart[0] == apart[1]
    assert [len(dataset) for dataset in datasets] == [6, 18]


def test_some_of_a_folder_s_photos(tmp_path: Path):
    for name in ("a-1", "a-2", "b-1"):
        Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(tmp_path / f"{name}.png")
    data = Data(sources=(Source(kind="keep", only=("a-*",)),))
    (dataset,), _ = load_datasets(data, root=tmp_path, glance=0, seed=1, notify=lambda _: None)
    assert len(dataset) == 2


def test_only_truths_that_are_learned_from_get_more_chroma(tmp_path: Path):
    for scene in range(8):
        for side, colour in (("low", (20, 14, 10)), ("high", (140, 110, 90))):
            image = Image.fromarray(np.full((40, 40, 3), colour, np.uint8))
            image.save(tmp_path / f"{scene}_{side}.png")
    lines = [f"s{scene},{scene}_low.png,{scene}_high.png" for scene in range(8)]
    (tmp_path / "pairs.csv").write_text("\n".join(["scene,low,high", *lines]))
    data = Data(sources=(Source(chroma=1.5),), held_out=0.25, run=1)
    (dataset,), held = load_datasets(data, root=tmp_path, glance=0, seed=1, notify=lambda _: None)
    truth = to_float(dataset.draw(0, 0).high[0, 0])
    (unseen,) = held.values()
    plain = to_float(unseen[0].high[0, 0])
    assert plain * 255 == pytest.approx([140, 110, 90], abs=0.01)
    assert truth @ LUMA == pytest.approx(plain @ LUMA, abs=0.005)
    assert truth - truth @ LUMA == pytest.approx(1.5 * (plain - plain @ LUMA), abs=0.005)
