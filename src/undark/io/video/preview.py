"""Before and after in one frame."""

from __future__ import annotations

from typing import Final, Literal

from undark.pixels.planes import Planes, Samples

__all__ = ["Preview", "compose", "preview_size"]

Preview = Literal["side", "split"]
"""``side`` shows both frames beside each other, ``split`` the left half of one and the right
half of the other."""

# Of the line between the halves, in samples of colour; twice that in those of luma.
_LINE: Final = 1


def preview_size(
    width: int, height: int, preview: Preview | None, *, turned: bool
) -> tuple[int, int]:
    """The size of a frame that shows frames of `width`×`height`.

    Args:
        width: Of a frame.
        height: Of a frame.
        preview: How they are shown.
        turned: Frames are turned by a quarter for display, so what lies below lies beside.
    """
    if preview != "side":
        return width, height
    even = (width + width % 2, height + height % 2)
    return (even[0], 2 * even[1]) if turned else (2 * even[0], even[1])


def compose(
    before: Planes, after: Planes, target: Planes, preview: Preview, *, turned: bool
) -> None:
    """Draw both frames into `target`, of the size that `preview_size` says."""
    planes = (
        (before.y, after.y, target.y),
        (before.u, after.u, target.u),
        (before.v, after.v, target.v),
    )
    for first, second, whole in planes:
        if turned:
            _draw(first.T, second.T, whole.T, preview)
        else:
            _draw(first, second, whole, preview)
    if preview == "split":
        line = target.y.T if turned else target.y
        middle = line.shape[1] // 2
        line[:, middle - _LINE : middle + _LINE] = target.colours.black + target.colours.luma_span


def _draw(first: Samples, second: Samples, whole: Samples, preview: Preview) -> None:
    rows, columns = first.shape
    if preview == "split":
        half = whole.shape[1] // 2
        whole[:rows, :half] = first[:, :half]
        whole[:rows, half:columns] = second[:, half:]
        whole[:rows, columns:] = second[:, -1:]
    else:
        half = whole.shape[1] // 2
        for start, shown in ((0, first), (half, second)):
            whole[:rows, start : start + columns] = shown
            whole[:rows, start + columns : start + half] = shown[:, -1:]
    whole[rows:] = whole[rows - 1 : rows]
