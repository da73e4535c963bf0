"""Learning: the only part that knows PyTorch. Needs the ``[train]`` extra."""

from undark.train.export import Exported, export_model
from undark.train.fit import Run, Stopped, run
from undark.train.history import Progress

__all__ = ["Exported", "Progress", "Run", "Stopped", "export_model", "run"]
