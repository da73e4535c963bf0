"""Learning: the only part that knows PyTorch. Needs the ``[train]`` extra.

All is imported when first used, so that a recipe can be checked before PyTorch is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from undark.train.early import check_early, check_export, check_recipe
    from undark.train.explain import Setting, explain_recipe
    from undark.train.export import Exported, export_model
    from undark.train.fit import Run, Stopped, run
    from undark.train.history import Progress
    from undark.train.sweeping import Swept, Trial, sweep
    from undark.train.trial import Checked, FoundRate, check, find_lr

__all__ = [
    "Checked",
    "Exported",
    "FoundRate",
    "Progress",
    "Run",
    "Setting",
    "Stopped",
    "Swept",
    "Trial",
    "check",
    "check_early",
    "check_export",
    "check_recipe",
    "explain_recipe",
    "export_model",
    "find_lr",
    "run",
    "sweep",
]

_HOMES: Final = {
    "Checked": "trial",
    "Exported": "export",
    "FoundRate": "trial",
    "Progress": "history",
    "Run": "fit",
    "Setting": "explain",
    "Stopped": "fit",
    "Swept": "sweeping",
    "Trial": "sweeping",
    "check": "trial",
    "check_early": "early",
    "check_export": "early",
    "check_recipe": "early",
    "explain_recipe": "explain",
    "export_model": "export",
    "find_lr": "trial",
    "run": "fit",
    "sweep": "sweeping",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(f"undark.train.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'undark.train' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
