"""Learning: the only part that knows PyTorch. Needs the ``[train]`` extra.

All is imported when first used, so that a recipe can be checked before PyTorch is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from undark.train.export import Exported, export_model
    from undark.train.fit import Run, Stopped, run
    from undark.train.history import Progress
    from undark.train.plan import check_early

__all__ = ["Exported", "Progress", "Run", "Stopped", "check_early", "export_model", "run"]

_HOMES: Final = {
    "Exported": "export",
    "Progress": "history",
    "Run": "fit",
    "Stopped": "fit",
    "check_early": "plan",
    "export_model": "export",
    "run": "fit",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(f"undark.train.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'undark.train' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
