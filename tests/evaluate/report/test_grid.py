from __future__ import annotations

import numpy as np
import pytest

from undark.errors import UsageError
from undark.evaluate.report.grid import image_grid

RED, GREEN, BLUE = (np.eye(3, dtype=np.uint8) * 255)[:, None, None, :]


def flat(colour: np.ndarray, height: int = 30, width: int = 40) -> np.ndarray:
    return np.broadcast_to(colour, (height, width, 3)).astype(np.uint8)


def pixels_of(sheet: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return np.argwhere((sheet == colour.reshape(3)).all(axis=2))


def test_pictures_lie_in_their_row_and_column() -> None:
    sheet = image_grid([[flat(RED), flat(GREEN)], [flat(BLUE)]], cell_width=40)
    assert sheet.dtype == np.uint8
    red, green, blue = (pixels_of(sheet, colour) for colour in (RED, GREEN, BLUE))
    assert len(red) == len(green) == len(blue) == 30 * 40
    assert red[:, 1].max() < green[:, 1].min()
    assert red[:, 0].max() < blue[:, 0].min()
    assert red[:, 1].min() == blue[:, 1].min()


def test_every_depth_and_size_is_scaled_to_the_cell() -> None:
    rows = [
        [
            flat(RED, 60, 80),
            flat(RED).astype(np.uint16) * 257,
            flat(RED, 15, 20).astype(np.float64) / 255,
        ]
    ]
    sheet = image_grid(rows, cell_width=40)
    assert len(pixels_of(sheet, RED)) == 3 * 30 * 40


def test_labels_and_captions_are_drawn_in_room_of_their_own() -> None:
    rows = [[flat(RED), flat(GREEN)]]
    bare = image_grid(rows)
    labelled = image_grid(rows, labels=["dark", "truth"], captions=["ein schönes Bild"])
    assert labelled.shape[0] > bare.shape[0]
    assert labelled.shape[1] == bare.shape[1]
    assert len(pixels_of(labelled, RED)) == len(pixels_of(bare, RED))
    assert (labelled.min(axis=2) < 100).any(axis=1)[:20].any(), "the labels' ink"


def test_extreme_proportions_fit() -> None:
    sheet = image_grid([[flat(RED, 1, 500), flat(GREEN, 50, 1)]], cell_width=10)
    assert len(pixels_of(sheet, RED)) == 10
    assert len(pixels_of(sheet, GREEN)) == 500 * 10


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ([], {}),
        ([[]], {}),
        ([[flat(RED)]], {"labels": ["a", "b"]}),
        ([[flat(RED)]], {"captions": []}),
        ([[np.zeros((3, 3), np.uint8)]], {}),
    ],
)
def test_what_does_not_fit_together_is_refused(rows: list, options: dict) -> None:
    with pytest.raises(UsageError):
        image_grid(rows, **options)
