"""Tiny pairs, so that a whole run takes a second or two."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pairs of 48×40 pictures in dark/ and light/, two to a scene."""
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "dark").mkdir()
    (folder / "light").mkdir()
    random = np.random.default_rng(0)
    for number in range(8):
        coarse = random.uniform(60, 220, (5, 6, 3)).astype(np.float32)
        light = cv2.resize(coarse, (48, 40), interpolation=cv2.INTER_CUBIC).clip(0, 255)
        dark = (light * 0.12 + random.normal(0, 2, light.shape)).clip(0, 255)
        for side, pixels in (("light", light), ("dark", dark)):
            Image.fromarray(pixels.astype(np.uint8)).save(folder / side / f"{number}.png")
    rows = ["scene,name", *(f"{number // 2},{number}" for number in range(8))]
    (folder / "scenes.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder
