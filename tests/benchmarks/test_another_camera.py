"""A camera that nothing was trained on: its photos are dark, alike in each run, with lines."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "another_camera.py"


@pytest.fixture(scope="module")
def another_camera() -> ModuleType:
    spec = importlib.util.spec_from_file_location("another_camera", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def photos(folder: Path) -> Path:
    folder.mkdir()
    ramp = np.linspace(60, 220, 96, dtype=np.uint8)
    for name, turned in (("b", False), ("a", True)):
        plane = np.repeat(ramp[:, None] if turned else ramp[None], 96, axis=int(turned))
        Image.fromarray(np.stack([plane] * 3, axis=-1)).save(folder / f"{name}.png")
    return folder


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_pairs_are_dark_photos_and_the_photos_themselves(
    another_camera: ModuleType, tmp_path: Path
):
    source = photos(tmp_path / "light")
    assert another_camera.main([str(source), str(tmp_path / "once")]) == 0
    assert another_camera.main([str(source), str(tmp_path / "twice")]) == 0
    for name in ("a.png", "b.png"):
        low, high = (tmp_path / "once" / half / name for half in ("low", "high"))
        assert low.read_bytes() == (tmp_path / "twice" / "low" / name).read_bytes()
        assert np.array_equal(pixels(high), pixels(source / name))
        assert pixels(low).mean() < 0.35 * pixels(high).mean()
        assert pixels(low).std() > 1


def test_it_has_lines(another_camera: ModuleType):
    grey = np.full((128, 128, 3), 0.5, np.float32)
    dark = another_camera.take(grey, np.random.default_rng(3)).astype(float).mean(axis=-1)
    assert dark.mean(axis=1).std() > 1.3 * dark.mean(axis=0).std()
