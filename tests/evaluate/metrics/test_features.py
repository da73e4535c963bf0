from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn

from undark.errors import UsageError
from undark.evaluate.metrics import features
from undark.evaluate.metrics.checkpoint import read_weights
from undark.evaluate.metrics.features import (
    VARIABLE,
    WEIGHTS,
    FeatureDistance,
    find_features,
)

COFFEE = np.ascontiguousarray(data.coffee()[:200, :240])


def unit(inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6())


class Block(nn.Module):
    """An inverted residual block (Sandler et al., "MobileNetV2", 2018), as PyTorch names it."""

    def __init__(self, inputs: int, outputs: int, stride: int, factor: int) -> None:
        super().__init__()
        wide = inputs * factor
        parts = [unit(inputs, wide, kernel=1)] if factor > 1 else []
        parts += [unit(wide, wide, kernel=3, stride=stride, groups=wide)]
        parts += [nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*parts)
        self.residual = inputs == outputs and stride == 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNet(nn.Module):
    """The first seven blocks, in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            unit(3, 32, kernel=3, stride=2),
            Block(32, 16, 1, 1),
            Block(16, 24, 2, 6),
            Block(24, 24, 1, 6),
            Block(24, 32, 2, 6),
            Block(32, 32, 1, 6),
            Block(32, 32, 1, 6),
        )


@pytest.fixture(scope="module")
def network() -> MobileNet:
    torch.manual_seed(0)
    made = MobileNet()
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.2)
            nn.init.normal_(part.running_mean, std=0.2)
            nn.init.uniform_(part.running_var, 0.5, 2)
    return made.eval()


@pytest.fixture(scope="module")
def weights(network: MobileNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / WEIGHTS
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture
def metric(weights: Path) -> FeatureDistance:
    return FeatureDistance(read_weights(weights))


def test_the_file_is_read_as_pytorch_reads_it(network: MobileNet, weights: Path) -> None:
    found, expected = read_weights(weights), network.state_dict()
    assert list(found) == list(expected)
    assert all(np.array_equal(found[name], expected[name].numpy()) for name in expected)


def test_the_network_is_pytorchs(network: MobileNet, metric: FeatureDistance) -> None:
    picture = COFFEE[:97, :130]
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    values = ((torch.from_numpy(picture.copy()) / 255 - mean) / deviation).permute(2, 0, 1)[None]
    expected = []
    with torch.no_grad():
        for number, block in enumerate(network.features):
            values = block(values)
            if number in (1, 3, 6):
                expected.append(nn.functional.normalize(values, dim=1)[0].permute(1, 2, 0).numpy())
    for ours, theirs in zip(metric.features(picture), expected, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-4)


def test_a_distance_is_zero_for_equals_symmetric_and_grows(metric: FeatureDistance) -> None:
    noise = np.random.default_rng(0).normal(0, 1, COFFEE.shape)
    little, much = (np.clip(COFFEE + noise * sigma, 0, 255).astype(np.uint8) for sigma in (5, 40))
    assert metric(COFFEE, COFFEE) == 0
    assert 0 < metric(little, COFFEE) < metric(much, COFFEE) <= 4
    assert metric(COFFEE, much) == pytest.approx(metric(much, COFFEE))
    assert metric(COFFEE.astype(np.uint16) * 257, much.astype(np.uint16) * 257) == pytest.approx(
        metric(COFFEE, much), rel=1e-3
    )


def test_large_pictures_are_seen_in_tiles(
    metric: FeatureDistance, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = np.roll(COFFEE, 3, axis=1)
    halves = [metric(COFFEE[:, part], other[:, part]) for part in (slice(120), slice(120, 240))]
    monkeypatch.setattr(features, "_LARGEST", 200)
    assert metric(COFFEE, other) == pytest.approx(np.mean(halves))


def test_pictures_must_fit(metric: FeatureDistance) -> None:
    with pytest.raises(UsageError, match="differ in size"):
        metric(COFFEE, COFFEE[:-1])
    with pytest.raises(UsageError, match="images must be"):
        metric(COFFEE[..., 0], COFFEE[..., 0])


def test_weights_are_found_where_the_user_says(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features.hashlib, "sha256", lambda _: Digest())
    for place in (weights, weights.parent):
        assert isinstance(find_features(place), FeatureDistance)
    monkeypatch.setenv(VARIABLE, str(weights.parent))
    assert isinstance(find_features(), FeatureDistance)


class Digest:
    def hexdigest(self) -> str:
        return "b0353104" + "0" * 56


def test_other_files_are_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sha256 does not begin with b0353104"):
        find_features(weights)
    with pytest.raises(UsageError, match="cannot read the weights"):
        find_features(tmp_path)


def test_nothing_found_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(features, "_PACKAGE", "no_such_package_here")
    assert find_features() is None


class Harm:
    def __reduce__(self) -> tuple:
        return (print, ("this must never run",))


@pytest.mark.parametrize("content", [Harm(), OrderedDict(a=Harm()), {"a": 1}])
def test_a_file_that_would_run_something_is_refused(
    content: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "evil.pth"
    path.write_bytes(b"".join(pickle.dumps(item) for item in (1, 2, {}, content, ["a"])))
    with pytest.raises(UsageError, match="not a table of parameters"):
        read_weights(path)
    assert not capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a newer file", pickle.dumps(1)])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not a table of parameters"):
        read_weights(path)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(UsageError, match="is missing"):
        FeatureDistance({"features.0.0.weight": np.zeros((32, 3, 3, 3))})
