"""Metrics against implementations that are not ours; `reference.json` says which."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data
from skimage.color import deltaE_ciede2000

from undark.evaluate import metrics

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text(encoding="utf-8"))

Picture = NDArray[np.uint8]


def as_it_is(picture: Picture) -> Picture:
    return picture


def distorted(picture: Picture) -> Picture:
    """Darker by a quarter, with a pattern that needs no random numbers."""
    y, x, channel = np.indices(picture.shape)
    pattern = (x * 7 + y * 13 + channel * 5 + (x * y) % 11) % 17 - 8
    return np.clip(picture.astype(int) * 3 // 4 + pattern, 0, 255).astype(np.uint8)


def dim(picture: Picture) -> Picture:
    return (picture // 4).astype(np.uint8)


def grey(picture: Picture) -> Picture:
    luma = np.rint(picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=2)


CHANGES = {
    "as it is": as_it_is,
    "distorted": distorted,
    "dim": dim,
    "grey": grey,
    "grey distorted": lambda picture: grey(distorted(picture)),
    "grey dim": lambda picture: grey(dim(picture)),
}


@pytest.mark.parametrize(
    "reference", REFERENCE["references"], ids=lambda item: f"{item['metric']}, {item['on']}"
)
def test_a_metric_agrees_with_others(reference: dict[str, Any]) -> None:
    for name, expected in reference["values"].items():
        picture = np.ascontiguousarray(getattr(data, name)())
        changed = CHANGES[reference["on"]](picture)
        metric = metrics.METRICS[reference["metric"]]
        found = metric.alone(changed) if metric.alone else metric.compare(changed, picture)
        assert found == pytest.approx(expected, abs=reference["tolerance"]), name


def test_the_colour_difference_is_the_published_one() -> None:
    table = np.array(REFERENCE["sharma"]["pairs"])
    assert table.shape == (34, 7)
    found = deltaE_ciede2000(table[:, :3], table[:, 3:6])
    assert found == pytest.approx(table[:, 6], abs=REFERENCE["sharma"]["tolerance"])


def test_the_noise_estimate_finds_the_noise_that_was_added() -> None:
    flat = np.full((300, 300, 1), 0.5)
    noise = np.random.default_rng(0).normal(0, 6 / 255, flat.shape)
    assert metrics.noise_level(np.repeat(flat + noise, 3, axis=2)) == pytest.approx(6, rel=0.02)
