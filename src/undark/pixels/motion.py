"""Motion from one frame to the next, and a frame moved along it.

Dense inverse search (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016) on
small frames takes a millisecond, and follows a moving camera and most of what moves before it.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.pixels.arrays import Floats, as_floats

__all__ = ["Motion"]

# Width of the frames that are compared, and a level of theirs that most pixels are below.
_SIDE: Final = 384
_BRIGHT: Final = 0.98
_SHOWN: Final = 210.0
# Motion of fewer pixels is none: moving by fractions would only blur.
_NONE: Final = 0.2


class Motion:
    """Where each place of a frame was in the frame before.

    Args:
        size: Rows and columns of luma.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        """Prepare for frames of one size."""
        self._size = size
        shrink = max(2.0, max(size) / _SIDE)
        self.small: tuple[int, int] = (
            max(round(size[0] / shrink), 1),
            max(round(size[1] / shrink), 1),
        )
        self._usable = min(self.small) >= 24
        self._search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._flow: NDArray[np.float32] | None = None
        self._maps: dict[tuple[int, int], tuple[Floats, Floats]] = {}

    def find(self, new: Floats, old: Floats) -> bool:
        """Compare two small frames of luma; whether there is any motion.

        Args:
            new: Of the size `small`.
            old: Likewise.
        """
        self._maps.clear()
        self._flow = None
        if not self._usable:
            return False
        bottom = float(new.min())
        top = float(np.quantile(new[::4, ::4], _BRIGHT)) - bottom
        scale = _SHOWN / max(top, 1e-6)
        a, b = (cv2.convertScaleAbs(one, alpha=scale, beta=-bottom * scale) for one in (new, old))
        flow = self._search.calc(a, b, None)
        factor = np.float32(self._size[1] / self.small[1])
        lengths = np.abs(flow[::4, ::4]).max(axis=2) * factor
        if float(np.quantile(lengths, 0.99)) < _NONE:
            return False
        self._flow = flow
        return True

    def moved(self, plane: Floats, mode: int = cv2.INTER_LINEAR) -> Floats:
        """A plane of the frame before, of any size, as the new one shows it."""
        if self._flow is None:
            return plane
        rows, columns = plane.shape
        if (rows, columns) not in self._maps:
            self._maps[rows, columns] = self._map(rows, columns)
        across, down = self._maps[rows, columns]
        return as_floats(cv2.remap(plane, across, down, mode, borderMode=cv2.BORDER_REPLICATE))

    def _map(self, rows: int, columns: int) -> tuple[Floats, Floats]:
        assert self._flow is not None
        height, width = self.small
        x, y = cv2.split(self._flow)
        across, down = (
            as_floats(cv2.resize(part * np.float32(factor), (columns, rows)))
            for part, factor in ((x, columns / width), (y, rows / height))
        )
        across += np.arange(columns, dtype=np.float32)
        down += np.arange(rows, dtype=np.float32)[:, None]
        return across, down
