from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from undark.evaluate.report.album import ROWS, Album, extremes, small


def test_an_album_keeps_the_extremes_and_a_spread_of_many() -> None:
    count = 3 * ROWS
    album = Album(count, 3)
    scores = np.random.default_rng(0).normal(20, 3, (count, 2))
    picture = np.zeros((8, 8, 3), np.uint8)
    for index in range(count):
        album.add(index, [picture] * 3, scores[index].tolist())
    assert len(album.rows) <= ROWS
    assert 0 in album.rows
    for place in (0, 1):
        order = np.argsort(scores[:, place])
        assert {*order[:2].tolist(), *order[-2:].tolist()} <= set(album.rows)


def test_an_album_of_few_keeps_all_and_every_picture_is_small_enough() -> None:
    album = Album(ROWS, 11)
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (900, 1500, 3)).astype(np.uint8)
    album.add(0, [noise], [20.0])
    with Image.open(BytesIO(album.rows[0][0])) as picture:
        assert picture.size == (480, 288)
    assert len(album.rows[0][0]) * ROWS * 11 * 4 / 3 < 45e6


def test_worst_and_best_never_meet() -> None:
    assert extremes({0: 3.0, 1: 1.0, 2: 2.0}, 4) == ([1, 2], [0])
    assert extremes({5: 1.0}, 4) == ([5], [])
    assert extremes({}, 4) == ([], [])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_small_picture_keeps_its_tones_and_its_shape(dtype: type[np.generic]) -> None:
    full = np.iinfo(dtype).max
    picture = np.full((30, 300, 3), full // 5, dtype)
    result = small(picture, 100)
    assert result.shape == (10, 100, 3)
    assert (result == 51).all()
    assert small(picture, 500).shape == picture.shape
