from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from undark.errors import DataError
from undark.io.pairs import TrainingPair, find_pairs
from undark.train.data.darken import Darkness, darken, draw_darkness, read_camera
from undark.train.data.datasets import load_datasets
from undark.train.data.loading import load_pairs
from undark.train.data.split import scenes_by_likeness, split_by_scene
from undark.train.data.stream import BatchStream
from undark.train.recipe import Augment, Data, Source


def quiet(message: str) -> None:
    del message


def scene_pairs(scenes: list[int]) -> list[TrainingPair]:
    return [
        TrainingPair(Path(f"l{i}"), Path(f"h{i}"), str(scene), str(i))
        for i, scene in enumerate(scenes)
    ]


@given(
    scenes=st.lists(st.integers(0, 30), min_size=1, max_size=80),
    held_out=st.floats(0.0, 0.9),
    run=st.integers(1, 10),
)
def test_no_scene_stands_on_both_sides(scenes: list[int], held_out: float, run: int) -> None:
    pairs = scene_pairs(scenes)
    learn, check = split_by_scene(pairs, held_out=held_out, run=run)
    assert sorted(p.name for p in learn + check) == sorted(p.name for p in pairs)
    assert learn
    assert not {p.scene for p in learn} & {p.scene for p in check}
    assert bool(check) == (held_out > 0 and len(set(scenes)) > 1)


def test_validation_takes_whole_runs_of_neighbours() -> None:
    _, check = split_by_scene(scene_pairs(list(range(100))), held_out=0.12, run=6)
    numbers = [int(p.scene) for p in check]
    assert len(numbers) == 12
    assert sum(b - a == 1 for a, b in pairwise(numbers)) == 10


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**20), height=st.integers(8, 40), width=st.integers(8, 40))
def test_darkness_is_darker_and_on_8_bit_levels(seed: int, height: int, width: int) -> None:
    random = np.random.default_rng(seed)
    image = random.uniform(0.3, 1.0, (height, width, 3)).astype(np.float32)
    dark = darken(image, draw_darkness(random), random)
    assert dark.shape == image.shape
    assert dark.dtype == np.float32
    assert dark.mean() < image.mean()
    assert np.allclose(dark * 255, np.round(dark * 255), atol=1e-3)


def test_no_darkness_at_all_changes_nothing_but_levels() -> None:
    image = np.random.default_rng(1).random((20, 20, 3), dtype=np.float32)
    same = darken(image, Darkness(ev=0.0), np.random.default_rng(2))
    assert np.abs(same - image).max() <= 0.51 / 255


def test_noise_is_there_and_correlated_as_asked() -> None:
    gray = np.full((128, 128, 3), 0.5, np.float32)
    base = Darkness(ev=2.0, shot=1e-3, read=(1e-3, 1e-3, 1e-3))

    def neighbours(darkness: Darkness) -> float:
        noise = darken(gray, darkness, np.random.default_rng(3))
        noise = noise - noise.mean()
        assert noise.std() > 0.005
        return float((noise[:, 1:] * noise[:, :-1]).mean() / noise.var())

    assert abs(neighbours(base)) < 0.05
    assert neighbours(replace(base, correlation=0.8)) > 0.2


def test_a_pedestal_lifts_black_and_jpeg_is_done() -> None:
    black = np.zeros((16, 16, 3), np.float32)
    lifted = darken(black, Darkness(ev=1.0, pedestal=(0.004, 0.0, 0.002)), np.random.default_rng(0))
    assert lifted[..., 0].mean() > lifted[..., 2].mean() > lifted[..., 1].mean() == 0.0
    noisy = np.random.default_rng(1).random((16, 16, 3), dtype=np.float32)
    plain = darken(noisy, Darkness(ev=1.0), np.random.default_rng(0))
    coded = darken(noisy, Darkness(ev=1.0, quality=60), np.random.default_rng(0))
    assert not np.array_equal(plain, coded)


def datasets_of(folder: Path, *, glance: int = 16) -> list:
    data = Data(sources=(Source(path="."), Source(kind="darken", path="light", weight=0.5)))
    return load_datasets(data, root=folder, glance=glance, seed=1, notify=quiet)[0]


def stream_of(folder: Path, *, start: int = 0, glance: int = 16, augment: Augment | None = None):
    return BatchStream(
        datasets_of(folder, glance=glance),
        crop=32,
        batch=3,
        augment=augment or Augment(share=0.6, rotate=8.0),
        seed=7,
        start=start,
    )


def test_a_batch_depends_on_seed_and_step_alone(pairs: Path) -> None:
    stream = iter(stream_of(pairs))
    batches = [next(stream) for _ in range(4)]
    again = next(iter(stream_of(pairs, start=3)))
    assert set(again) == {"image", "truth", "glance", "truth_glance", "told"}
    for key, value in again.items():
        assert torch.equal(value, batches[3][key])
        assert key == "told" or not torch.equal(value, batches[2][key])


def test_batches_have_the_promised_shapes_and_range(pairs: Path) -> None:
    batch = stream_of(pairs).at(0)
    assert batch["image"].shape == batch["truth"].shape == (3, 3, 32, 32)
    assert batch["glance"].shape == batch["truth_glance"].shape == (3, 3, 16, 16)
    assert batch.pop("told").tolist() == [True] * 3
    for value in batch.values():
        assert value.dtype == torch.float32
        assert 0.0 <= float(value.min()) <= float(value.max()) <= 1.0
    assert set(stream_of(pairs, glance=0).at(0)) == {"image", "truth"}


def test_input_and_truth_stay_aligned(pairs: Path) -> None:
    quiet_augment = Augment(exposure=0.0, noise=0.0, rotate=10.0, share=1.0)
    dataset = datasets_of(pairs)[:1]
    batch = BatchStream(dataset, crop=32, batch=8, augment=quiet_augment, seed=3).at(0)
    for low, high in zip(batch["image"], batch["truth"], strict=True):
        both = np.corrcoef(low.mean(0).flatten(), high.mean(0).flatten())
        assert both[0, 1] > 0.7


def test_a_crop_larger_than_the_picture_is_filled(pairs: Path) -> None:
    batch = BatchStream(datasets_of(pairs), crop=64, batch=2, augment=Augment(), seed=1).at(0)
    assert batch["image"].shape == (2, 3, 64, 64)
    assert float(batch["truth"].amin((1, 2, 3)).min()) > 0.1


def test_pairs_of_unequal_size_are_named(pairs: Path, tmp_path: Path) -> None:
    for side, size in (("low", (30, 20)), ("high", (20, 30))):
        (tmp_path / side).mkdir()
        Image.new("RGB", size).save(tmp_path / side / "odd.png")
    with pytest.raises(DataError, match=r"none of .*30×20 .* 20×30"):
        load_pairs(find_pairs(tmp_path).pairs, notify=quiet)


def test_an_unreadable_picture_is_told_of_and_left_out(tmp_path: Path) -> None:
    for side in ("low", "high"):
        (tmp_path / side).mkdir()
        for name in ("a", "b"):
            Image.new("RGB", (20, 20), (9, 9, 9)).save(tmp_path / side / f"{name}.png")
    (tmp_path / "high" / "a.png").write_bytes(b"not a picture")
    told: list[str] = []
    loaded = load_pairs(find_pairs(tmp_path).pairs, notify=told.append)
    assert [pair.name for pair in loaded] == ["b"]
    assert len(told) == 1
    assert "a.png" in told[0]


@pytest.mark.slow  # starts worker processes, each of which imports torch
def test_worker_processes_draw_the_same(pairs: Path) -> None:
    loader = iter(DataLoader(stream_of(pairs), batch_size=None, num_workers=2))
    alone = iter(stream_of(pairs))
    for _ in range(5):
        one, other = next(loader), next(alone)
        assert all(torch.equal(one[key], other[key]) for key in other)


def _shots(folder: Path) -> list[TrainingPair]:
    """Three shots, each cropped four times and unevenly exposed, in shuffled order."""
    random = np.random.default_rng(4)
    found: list[TrainingPair] = []
    for shot in range(3):
        coarse = random.uniform(40, 220, (14, 14, 3)).astype(np.float32)
        whole = np.asarray(Image.fromarray(coarse.astype(np.uint8)).resize((160, 160)))
        for crop in range(4):
            top, left = random.integers(0, 20, 2)
            part = whole[top : top + 130, left : left + 130] * random.uniform(0.9, 1.1)
            path = folder / f"{crop}{shot}.png"
            Image.fromarray(part.clip(0, 255).astype(np.uint8)).save(path)
            found.append(TrainingPair(path, path, f"pair {path.stem}", path.stem))
    return sorted(found, key=lambda pair: pair.name)


def test_crops_of_one_shot_are_one_scene(tmp_path: Path) -> None:
    scenes: dict[str, set[str]] = {}
    for pair in scenes_by_likeness(_shots(tmp_path)):
        scenes.setdefault(pair.scene, set()).add(pair.name[-1])
    assert sorted(map(tuple, scenes.values())) == [("0",), ("1",), ("2",)]


def test_likeness_leaves_unreadable_pictures_to_the_loader(tmp_path: Path) -> None:
    pairs = _shots(tmp_path)
    pairs[0].high.write_bytes(b"broken")
    assert len(scenes_by_likeness(pairs)) == len(pairs)


@pytest.fixture
def leaning(tmp_path: Path) -> Path:
    """One pair whose right half is bright."""
    for side in ("low", "high"):
        (tmp_path / side).mkdir()
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[:, 32:] = 200 if side == "high" else 40
        Image.fromarray(pixels).save(tmp_path / side / "1.png")
    return tmp_path


@pytest.mark.parametrize("flip", [True, False])
def test_a_source_may_keep_its_pictures_the_right_way_round(leaning: Path, flip: bool) -> None:
    data = Data(sources=(Source(flip=flip),), held_out=0.0, crop=64, batch=4)
    datasets, _ = load_datasets(data, root=leaning, glance=16, seed=1, notify=quiet)
    draws = BatchStream(datasets, crop=64, batch=4, augment=Augment(rotate=0.0), seed=1)
    rightward = [
        bool(item[:, :, 40:].mean() > item[:, :, :24].mean())
        for step in range(4)
        for item in draws.at(step)["truth"]
    ]
    assert all(rightward) != flip


def test_stacks_draw_dark_and_light_without_pairing(leaning: Path) -> None:
    sources = (Source(kind="dark"), Source(kind="light"))
    data = Data(sources=sources, held_out=0.0, crop=32, batch=2)
    datasets, held = load_datasets(data, root=leaning, glance=16, seed=1, notify=quiet)
    batch = BatchStream(datasets, crop=32, batch=2, augment=Augment(), seed=1).at(0)
    assert set(batch) == {"image", "glance", "light", "light_glance"}
    assert float(batch["light_glance"].mean()) > float(batch["glance"].mean())
    assert not held


def test_a_learned_camera_lends_its_noise_to_the_darkness(tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    path.write_text('{"ev": 0.0, "shot": 0.01, "read": [0.001, 0.002, 0.003], "gamma": 1.1}')
    camera = read_camera(path)
    random = np.random.default_rng(0)
    drawn = [draw_darkness(random, camera) for _ in range(50)]
    assert {darkness.gamma for darkness in drawn} == {1.1}
    assert np.median([darkness.shot for darkness in drawn]) == pytest.approx(0.01, rel=0.5)
    assert len({darkness.ev for darkness in drawn}) == 50
    for content in ("[]", "{", '{"colour": 1}'):
        path.write_text(content)
        with pytest.raises(DataError, match=r"camera\.json"):
            read_camera(path)
    with pytest.raises(DataError, match="cannot read"):
        read_camera(tmp_path / "none.json")


def test_shrunk_pictures_keep_their_shape(leaning: Path) -> None:
    Image.fromarray(np.full((50, 200, 3), 90, np.uint8)).save(leaning / "low" / "2.png")
    Image.fromarray(np.full((50, 200, 3), 90, np.uint8)).save(leaning / "high" / "2.png")
    loaded = load_pairs(find_pairs(leaning).pairs, notify=quiet, max_side=100)
    assert [pair.low.shape for pair in loaded] == [(64, 64, 3), (25, 100, 3)]
    assert all(pair.high.dtype == np.uint8 for pair in loaded)


def test_a_batch_says_whose_level_is_told(leaning: Path) -> None:
    for level in ("told", "guessed"):
        data = Data(sources=(Source(level=level),), held_out=0.0, crop=32, batch=2)
        datasets, _ = load_datasets(data, root=leaning, glance=16, seed=1, notify=quiet)
        batch = BatchStream(datasets, crop=32, batch=2, augment=Augment(), seed=1).at(0)
        assert batch["told"].tolist() == [level == "told"] * 2
