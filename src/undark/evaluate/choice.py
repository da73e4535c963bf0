"""Which metrics are measured: those asked for, and those whose weights are at hand."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from undark.errors import UsageError
from undark.evaluate.metrics import METRICS, headline
from undark.evaluate.metrics.base import Compare
from undark.evaluate.metrics.dists import DISTS_TO_GET, find_dists
from undark.evaluate.metrics.features import HOW_TO_GET, find_features
from undark.evaluate.metrics.lpips import LPIPS_TO_GET, find_lpips

__all__ = ["bring_metrics", "wanted_metrics"]

_HOW_TO_GET: Final = {
    "feature_distance": HOW_TO_GET,
    "lpips": LPIPS_TO_GET,
    "dists": DISTS_TO_GET,
}


def bring_metrics(
    *,
    features: Path | None = None,
    lpips: Sequence[Path] = (),
    dists: Sequence[Path] = (),
) -> dict[str, Compare]:
    """The metrics that need weights, by name, as far as these are found.

    Args:
        features: Weights of MobileNetV2: the file or its folder.
        lpips: Files or folders for :func:`undark.evaluate.metrics.lpips.find_lpips`.
        dists: The same for :func:`undark.evaluate.metrics.dists.find_dists`.

    Raises:
        UsageError: A file that was named is not what it should be.
    """
    found: dict[str, Compare | None] = {
        "feature_distance": find_features(features),
        "lpips": find_lpips(lpips),
        "dists": find_dists(dists),
    }
    return {name: metric for name, metric in found.items() if metric is not None}


def wanted_metrics(
    metrics: Sequence[str] | None, brought: Mapping[str, Compare], *, truths: bool
) -> frozenset[str] | None:
    """The metrics asked for and the one that orders the images; None for all.

    Raises:
        UsageError: One is unknown, or needs truths or weights that are not there.
    """
    if metrics is None:
        return None
    for name in metrics:
        if name not in METRICS:
            near = difflib.get_close_matches(name, METRICS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(METRICS)}"
            raise UsageError(f"no metric is called {name!r}; {hint}", argument="metrics")
        if METRICS[name].needs_truth and not truths:
            raise UsageError(f"{name} needs truths, and there are none", argument="metrics")
        if name in _HOW_TO_GET and name not in brought:
            raise UsageError(
                f"{name} needs weights, which are not part of undark; {_HOW_TO_GET[name]}",
                argument="metrics",
            )
    return frozenset((*metrics, headline(truths=truths)))
