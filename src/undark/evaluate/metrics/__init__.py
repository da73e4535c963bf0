"""Metrics: how near an image is to its truth, and what can be said of it alone.

Each takes H×W×3 RGB images, uint8, uint16 or float in [0, 1] (floats are clipped), and gives a
Python float; two images must be of one size. Nothing is rescaled, shifted or cropped here; what
a protocol does to an output beforehand is written in :mod:`undark.evaluate.protocol`.

A metric is one file here, which ends with its :class:`Metric`, and one line in :data:`METRICS`.
SSIM and the metrics of colour call scikit-image (extra ``evaluate``); the others need NumPy and
OpenCV alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from numpy.typing import NDArray

from undark.evaluate.metrics.base import Compare, Metric
from undark.evaluate.metrics.blown import BLOWN, BLOWN_ADDED, blown, blown_added
from undark.evaluate.metrics.brisque import BRISQUE, BRISQUE_MINIMUM, brisque
from undark.evaluate.metrics.chroma_ratio import CHROMA_RATIO, chroma_ratio
from undark.evaluate.metrics.crushed import CRUSHED, CRUSHED_ADDED, crushed, crushed_added
from undark.evaluate.metrics.delta_e2000 import DELTA_E2000, delta_e2000
from undark.evaluate.metrics.dists import DISTS, Dists
from undark.evaluate.metrics.features import FEATURE_DISTANCE, FeatureDistance
from undark.evaluate.metrics.lpips import LPIPS, Lpips
from undark.evaluate.metrics.mae import MAE, mae
from undark.evaluate.metrics.mean_level import MEAN_LEVEL, mean_level
from undark.evaluate.metrics.ms_ssim import MS_SSIM, MS_SSIM_MINIMUM, ms_ssim
from undark.evaluate.metrics.niqe import BLOCK, NIQE, niqe
from undark.evaluate.metrics.noise import NOISE, noise_level
from undark.evaluate.metrics.psnr import PSNR, psnr
from undark.evaluate.metrics.ssim import SSIM, ssim

__all__ = [
    "BLOCK",
    "BRISQUE_MINIMUM",
    "METRICS",
    "MS_SSIM_MINIMUM",
    "Dists",
    "FeatureDistance",
    "Lpips",
    "Metric",
    "blown",
    "blown_added",
    "brisque",
    "chroma_ratio",
    "crushed",
    "crushed_added",
    "delta_e2000",
    "headline",
    "mae",
    "mean_level",
    "measure",
    "ms_ssim",
    "niqe",
    "noise_level",
    "psnr",
    "ssim",
]

METRICS: Final[Mapping[str, Metric]] = {
    "psnr": PSNR,
    "ssim": SSIM,
    "ms_ssim": MS_SSIM,
    "mae": MAE,
    "delta_e2000": DELTA_E2000,
    "chroma_ratio": CHROMA_RATIO,
    "feature_distance": FEATURE_DISTANCE,
    "lpips": LPIPS,
    "dists": DISTS,
    "blown_added": BLOWN_ADDED,
    "crushed_added": CRUSHED_ADDED,
    "niqe": NIQE,
    "brisque": BRISQUE,
    "mean_level": MEAN_LEVEL,
    "blown": BLOWN,
    "crushed": CRUSHED,
    "noise": NOISE,
}
"""Every value that :func:`measure` can give, by name, in the order of reports."""


def headline(*, truths: bool) -> str:
    """The metric that a report orders images by, and so always has."""
    return "psnr" if truths else "niqe"


def measure(
    output: NDArray[Any],
    truth: NDArray[Any] | None = None,
    *,
    brought: Mapping[str, Compare] = MappingProxyType({}),
    wanted: Collection[str] | None = None,
) -> dict[str, float]:
    """The metrics of one image by name, as far as truth and weights are there.

    A metric that is not defined on the image (it is too small, or flat) is NaN.

    >>> import numpy as np
    >>> found = measure(np.full((8, 8, 3), 51, np.uint8), np.zeros((8, 8, 3), np.uint8))
    >>> round(found["psnr"], 3), round(found["mean_level"], 3), found["niqe"]
    (13.979, 0.2, nan)

    Args:
        output: H×W×3 RGB, uint8, uint16 or float in [0, 1].
        truth: Another of the same size; without it, only what looks at the output alone is given.
        brought: Functions of the metrics that need weights, by name: what
            :func:`undark.evaluate.metrics.lpips.find_lpips` and its like give. Without its
            function, such a metric is not given.
        wanted: Names of the metrics to give; by default all.

    Raises:
        UsageError: The images differ in size, are not H×W×3 or (with a truth) smaller than 7×7.
        MissingExtraError: scikit-image is not installed.
    """
    found: dict[str, float] = {}
    for name, metric in METRICS.items():
        if wanted is not None and name not in wanted:
            continue
        compare = brought.get(name, metric.compare)
        if metric.alone is not None:
            found[name] = metric.alone(output)
        elif truth is not None and compare is not None:
            found[name] = compare(output, truth)
    return found
