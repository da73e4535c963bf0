"""What models there are: their cards, the catalog, and where their files lie.

>>> import undark
>>> undark.models.names()
('relight', 'relight-open', 'unet', 'pix2pix', 'cyclegan', 'agent', 'curve')
"""

from undark.models.card import Card, DataSource, Glance, Metric, Scaling
from undark.models.catalog import DEFAULT, names
from undark.models.store import Model, cards, resolve

__all__ = [
    "DEFAULT",
    "Card",
    "DataSource",
    "Glance",
    "Metric",
    "Model",
    "Scaling",
    "cards",
    "names",
    "resolve",
]
