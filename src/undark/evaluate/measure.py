"""All metrics of one picture, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from numpy.typing import NDArray

from undark.evaluate import metrics, natural
from undark.evaluate.features import FeatureDistance

__all__ = ["METRICS", "Metric", "measure"]


@dataclass(frozen=True, slots=True)
class Metric:
    """How a value is read and shown.

    Attributes:
        heading: Short name with its unit, for a table.
        form: How its values are written, as `str.format` takes it.
        better: Which way is better, or None where neither is.
        needs_truth: It compares with the truth; the others look at the output alone.
        meaning: One line for a reader.
    """

    heading: str
    form: str
    better: Literal["more", "less"] | None
    needs_truth: bool
    meaning: str


METRICS: Final[Mapping[str, Metric]] = {
    "psnr": Metric("PSNR dB", "{:.2f}", "more", True, "peak signal-to-noise ratio over RGB, dB"),
    "ssim": Metric(
        "SSIM", "{:.4f}", "more", True, "scikit-image's default 7×7 window, mean of R, G and B"
    ),
    "ms_ssim": Metric(
        "MS-SSIM",
        "{:.4f}",
        "more",
        True,
        "five scales, Gaussian 11×11 window, mean of R, G and B;"
        f" needs {metrics.MS_SSIM_MINIMUM} pixels on the shorter side",
    ),
    "mae": Metric("MAE", "{:.4f}", "less", True, "mean absolute error over RGB, 0 to 1"),
    "delta_e2000": Metric("ΔE2000", "{:.2f}", "less", True, "mean CIEDE2000 colour difference"),
    "feature_distance": Metric(
        "features",
        "{:.4f}",
        "less",
        True,
        "MobileNetV2 feature distance after blocks 1, 3 and 6 (not LPIPS)",
    ),
    "blown_added": Metric(
        "blown +", "{:.2%}", "less", True, "share of pixels blown out that the truth holds"
    ),
    "crushed_added": Metric(
        "crushed +", "{:.2%}", "less", True, "share of pixels crushed that the truth holds"
    ),
    "niqe": Metric(
        "NIQE",
        "{:.2f}",
        "less",
        False,
        f"distance from natural photos; needs two blocks of {natural.BLOCK}×{natural.BLOCK} pixels",
    ),
    "brisque": Metric(
        "BRISQUE",
        "{:.1f}",
        "less",
        False,
        "learned from people's scores, about 0 to 100;"
        f" needs {natural.BRISQUE_MINIMUM} pixels on the shorter side",
    ),
    "mean_level": Metric("mean", "{:.3f}", None, False, "mean sample of the output, 0 to 1"),
    "blown": Metric(
        "blown", "{:.2%}", None, False, "share of pixels with a channel of 254/255 or more"
    ),
    "crushed": Metric(
        "crushed", "{:.2%}", None, False, "share of pixels with all channels at 1/255 or less"
    ),
    "noise": Metric(
        "noise",
        "{:.2f}",
        None,
        False,
        "noise in the luma as Immerkær estimates it, in levels of 255; texture counts in",
    ),
}
"""Every value that :func:`measure` can give, in the order of reports."""


def measure(
    output: NDArray[Any],
    truth: NDArray[Any] | None = None,
    *,
    features: FeatureDistance | None = None,
) -> dict[str, float]:
    """The metrics of one picture by name, as far as truth and weights are there.

    A metric that is not defined on the picture (it is too small, or flat) is NaN.

    Args:
        output: H×W×3 RGB, uint8, uint16 or float in [0, 1].
        truth: Another of the same size; without it, only what looks at the output alone is given.
        features: The MobileNetV2 feature distance; without it, it is not given.

    Raises:
        UsageError: The pictures differ in size, are not H×W×3 or (with a truth) smaller than 7×7.
        MissingExtraError: scikit-image is not installed.
    """
    found: dict[str, float] = {}
    if truth is not None:
        found = {
            "psnr": metrics.psnr(output, truth),
            "ssim": metrics.ssim(output, truth),
            "ms_ssim": metrics.ms_ssim(output, truth),
            "mae": metrics.mae(output, truth),
            "delta_e2000": metrics.delta_e2000(output, truth),
        }
        if features is not None:
            found["feature_distance"] = features(output, truth)
        found["blown_added"] = metrics.blown_added(output, truth)
        found["crushed_added"] = metrics.crushed_added(output, truth)
    return found | {
        "niqe": natural.niqe(output),
        "brisque": natural.brisque(output),
        "mean_level": metrics.mean_level(output),
        "blown": metrics.blown(output),
        "crushed": metrics.crushed(output),
        "noise": metrics.noise_level(output),
    }
