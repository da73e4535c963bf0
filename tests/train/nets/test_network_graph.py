from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from undark.errors import DeviceError
from undark.graph import ask
from undark.train.nets.graph import NetworkGraph


class Halves(nn.Module):
    """Two outputs of two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def forward(self, image: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
        return self.factor * image, control - 1.0


def test_a_network_answers_by_name() -> None:
    graph = NetworkGraph(Halves(), ["image", "control"], ["enhanced", "less"])
    image = np.random.default_rng(0).random((1, 3, 4, 6), dtype=np.float32)
    inputs = {"control": np.ones((1, 2), np.float32), "image": image}
    answers = graph(inputs, ["less", "enhanced"])
    assert list(answers) == ["less", "enhanced"]
    np.testing.assert_array_equal(answers["enhanced"], image / 2)
    np.testing.assert_array_equal(answers["less"], np.zeros((1, 2)))
    assert answers["enhanced"].flags.c_contiguous
    answers["enhanced"][:] = 0.0  # its own array: what was given stays
    assert image.max() > 0
    assert list(graph(inputs, ["less"])) == ["less"]


def test_a_network_computes_in_float32_whatever_is_going_on() -> None:
    graph = NetworkGraph(nn.Conv2d(3, 3, 1), ["image"], ["enhanced"])
    image = np.random.default_rng(0).random((1, 3, 4, 6), dtype=np.float32)
    plain = graph({"image": image}, ["enhanced"])["enhanced"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = graph({"image": image}, ["enhanced"])["enhanced"]
    np.testing.assert_array_equal(plain, mixed)


def test_values_that_are_not_numbers_are_an_error() -> None:
    network = Halves()
    network.factor.data.fill_(torch.nan)
    graph = NetworkGraph(network, ["image", "control"], ["enhanced", "less"])
    inputs = {"control": np.ones((1, 2), np.float32), "image": np.ones((1, 3, 2, 2), np.float32)}
    with pytest.raises(DeviceError, match="the network gave values that are not numbers"):
        ask(graph, inputs, ["enhanced"])
