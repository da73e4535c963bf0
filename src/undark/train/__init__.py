"""Learning: the only part that knows PyTorch. Needs the ``[train]`` extra."""

from undark.train.explain import Setting, explain_recipe
from undark.train.export import Exported, export_model
from undark.train.fit import Run, run

__all__ = ["Exported", "Run", "Setting", "explain_recipe", "export_model", "run"]
