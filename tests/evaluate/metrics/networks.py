"""The three networks in PyTorch, with random weights: independent of undark's own arithmetic."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def convolution(inputs: int, outputs: int, size: int, stride: int = 1, padding: int = 0) -> list:
    return [nn.Conv2d(inputs, outputs, size, stride, padding), nn.ReLU()]


class Fire(nn.Module):
    """SqueezeNet's module (Iandola et al. 2016), as torchvision names its parts."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


class Net(nn.Module):
    """A network's ``features``; what it says after the layers of the numbers `kept`."""

    def __init__(self, layers: Iterable[nn.Module], kept: tuple[int, ...]) -> None:
        super().__init__()
        self.features = nn.Sequential(*layers)
        self.kept = kept
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
                assert part.bias is not None
                nn.init.normal_(part.bias, std=0.1)

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for number, layer in enumerate(self.features[: self.kept[-1] + 1]):
            x = layer(x)
            if number in self.kept:
                found.append(x)
        return found


def alexnet() -> Net:
    """Krizhevsky 2014 ("One weird trick"), without the classifier."""
    layers = [
        *convolution(3, 64, 11, 4, 2),
        nn.MaxPool2d(3, 2),
        *convolution(64, 192, 5, padding=2),
        nn.MaxPool2d(3, 2),
        *convolution(192, 384, 3, padding=1),
        *convolution(384, 256, 3, padding=1),
        *convolution(256, 256, 3, padding=1),
        nn.MaxPool2d(3, 2),
    ]
    return Net(layers, (1, 4, 7, 9, 11))


def vgg16() -> Net:
    """Simonyan and Zisserman 2014, configuration D, without the classifier."""
    layers: list[nn.Module] = []
    channels = 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            layers += convolution(channels, width, 3, padding=1)
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    return Net(layers, (3, 8, 15, 22, 29))


def squeezenet() -> Net:
    """SqueezeNet 1.1, without the classifier."""

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    layers = [
        *convolution(3, 64, 3, 2),
        pool(),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        pool(),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        pool(),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    ]
    return Net(layers, (1, 4, 7, 9, 10, 11, 12))


NETWORKS = {"alex": alexnet, "vgg": vgg16, "squeeze": squeezenet}
