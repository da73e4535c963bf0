"""Learning: the only part that knows PyTorch. Needs the ``[train]`` extra."""

from undark.train.export import Exported, export_model
from undark.train.fit import Run, run

__all__ = ["Exported", "Run", "export_model", "run"]
