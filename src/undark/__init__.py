"""undark brings dark photos to light, on your own machine.

    >>> import undark
    >>> photo = undark.enhance("night.jpg")  # doctest: +SKIP
    >>> undark.write_photo(photo, "light.jpg")  # doctest: +SKIP

`enhance` takes a path, bytes, an open file, a PIL image, a NumPy array, a Photo or a list of these,
and gives back the same type, size and depth; `Enhancer` is the same with the model kept ready.
`models` says what models there are, `errors` what can go wrong. All is imported when first used:
`import undark` is quick.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from undark import errors, models
    from undark.adjust import Adjust
    from undark.engine.enhancer import Enhancer, enhance
    from undark.engine.video import VideoEnhancer
    from undark.io.photo import read_photo, write_photo
    from undark.photo import Photo

    __version__: str

# ONNX Runtime reports each use to its makers, over the network, unless it is told not to before it
# is loaded; see also undark.runtime.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "Adjust",
    "Enhancer",
    "Photo",
    "VideoEnhancer",
    "__version__",
    "enhance",
    "errors",
    "models",
    "read_photo",
    "write_photo",
]

_HOMES: Final = {
    "Adjust": "undark.adjust",
    "Enhancer": "undark.engine.enhancer",
    "Photo": "undark.photo",
    "VideoEnhancer": "undark.engine.video",
    "enhance": "undark.engine.enhancer",
    "read_photo": "undark.io.photo",
    "write_photo": "undark.io.photo",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name in ("errors", "models"):
        return import_module(f"undark.{name}")
    if name == "__version__":
        from importlib.metadata import version

        return version("undark")
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'undark' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
