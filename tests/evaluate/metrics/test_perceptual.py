"""LPIPS and DISTS: their arithmetic against PyTorch's, on random weights of the real networks."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import NETWORKS, Net
from numpy.typing import NDArray
from skimage import data
from torch.nn import functional

from undark.errors import UsageError
from undark.evaluate.metrics.backbone import MINIMUM, max_pool
from undark.evaluate.metrics.dists import DISTS_VARIABLE, Dists, find_dists
from undark.evaluate.metrics.lpips import LPIPS_VARIABLE, Lpips, find_lpips
from undark.evaluate.metrics.natural import parameters

COFFEE = np.ascontiguousarray(data.coffee()[100:147, 200:261])
CHANNELS = {
    "alex": (64, 192, 384, 256, 256),
    "vgg": (64, 128, 256, 512, 512),
    "squeeze": (64, 128, 256, 384, 384, 512, 512),
}


@cache
def network(kind: str) -> Net:
    torch.manual_seed(0)
    return NETWORKS[kind]().eval()


@cache
def weights(kind: str) -> dict[str, NDArray[np.float32]]:
    return {name: value.numpy() for name, value in network(kind).state_dict().items()}


def spoilt(image: NDArray[np.uint8], noise: float = 12.0) -> NDArray[np.uint8]:
    random = np.random.default_rng(1)
    changed = 0.7 * image + random.normal(0, noise, image.shape)
    return changed.clip(0, 255).astype(np.uint8)


def tensor(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)[None]


def row(values: list[float]) -> torch.Tensor:
    return torch.tensor(values).view(1, 3, 1, 1)


def lpips_by_torch(kind: str, one: torch.Tensor, other: torch.Tensor) -> float:
    """The paper's equation 1, with the release's scaling of the input."""
    both = torch.cat([one, other])
    seen = (2 * both - 1 - row([-0.030, -0.088, -0.188])) / row([0.458, 0.448, 0.450])
    total = 0.0
    for number, layer in enumerate(network(kind)(seen)):
        unit = layer / (layer.square().sum(1, keepdim=True).sqrt() + 1e-10)
        linear = torch.from_numpy(parameters("lpips")[f"{kind}.lin{number}"]).float()
        total += float(((unit[0] - unit[1]).square() * linear.view(-1, 1, 1)).sum(0).mean())
    return total


def dists_by_torch(one: torch.Tensor, other: torch.Tensor) -> float:
    """The paper's equations 4 to 8; its L2 pooling stands where VGG takes the largest."""
    hann = torch.hann_window(5, periodic=False)[1:-1]
    window = torch.outer(hann, hann) / hann.sum() ** 2
    x = (torch.cat([one, other]) - row([0.485, 0.456, 0.406])) / row([0.229, 0.224, 0.225])
    layers = [torch.cat([one, other])]
    net = network("vgg")
    with torch.no_grad():
        for number, layer in enumerate(net.features[: net.kept[-1] + 1]):
            if isinstance(layer, torch.nn.MaxPool2d):
                kernel = window.expand(x.shape[1], 1, 3, 3)
                squares = functional.conv2d(
                    x.square(), kernel, stride=2, padding=1, groups=x.shape[1]
                )
                x = (squares + 1e-12).sqrt()
            else:
                x = layer(x)
            if number in net.kept:
                layers.append(x)
    known = parameters("dists")
    sizes = [layer.shape[1] for layer in layers]
    alpha, beta = (np.split(known[name], np.cumsum(sizes)[:-1]) for name in ("alpha", "beta"))
    total = known["alpha"].sum() + known["beta"].sum()
    similar = 0.0
    for layer, a, b in zip(layers, alpha, beta, strict=True):
        first, second = layer.double().flatten(2).numpy()
        means = first.mean(1), second.mean(1)
        covariance = ((first.T - means[0]) * (second.T - means[1])).mean(0)
        texture = (2 * means[0] * means[1] + 1e-6) / (means[0] ** 2 + means[1] ** 2 + 1e-6)
        structure = (2 * covariance + 1e-6) / (first.var(1) + second.var(1) + 1e-6)
        similar += float((a * texture + b * structure).sum() / total)
    return 1 - similar


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("size", [(32, 32), (47, 61)])
def test_lpips_is_pytorchs_on_every_network_and_size(kind: str, size: tuple[int, int]) -> None:
    image = np.ascontiguousarray(COFFEE[: size[0], : size[1]])
    metric = Lpips(weights(kind))
    expected = lpips_by_torch(kind, tensor(spoilt(image)), tensor(image))
    assert expected > 0.005
    assert metric(spoilt(image), image) == pytest.approx(expected, rel=1e-4)
    assert metric(image, image) == 0


@pytest.mark.parametrize("size", [(32, 32), (47, 61)])
def test_dists_is_pytorchs(size: tuple[int, int]) -> None:
    image = np.ascontiguousarray(COFFEE[: size[0], : size[1]])
    metric = Dists(weights("vgg"))
    expected = dists_by_torch(tensor(spoilt(image)), tensor(image))
    assert expected > 0.01
    assert metric(spoilt(image), image) == pytest.approx(expected, rel=1e-4)
    assert metric(image, image) == pytest.approx(0, abs=1e-9)


def test_a_case_by_hand() -> None:
    """Every weight 0 but a bias of 1 in one channel: layers say (1, 0, 0, …) of any image."""
    blank = {name: np.zeros_like(value) for name, value in weights("alex").items()}
    blank["features.0.weight"][3, 0, 5, 5] = 1  # the red sample in the kernel's middle
    blank["features.0.bias"][7] = 1
    metric = Lpips(blank)
    black, white = np.zeros((35, 35, 3), np.uint8), np.full((35, 35, 3), 255, np.uint8)
    # Of red, black is (-1 + 0.03) / 0.458, below 0; white is (1 + 0.03) / 0.458.
    red = 1.03 / 0.458
    length = math.hypot(red, 1)
    linear = parameters("lpips")["alex.lin0"]
    expected = linear[3] * (red / length) ** 2 + linear[7] * (1 - 1 / length) ** 2
    assert metric(black, white) == pytest.approx(expected, rel=1e-5)
    assert metric(white, black) == pytest.approx(expected, rel=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(3, 20), st.integers(3, 20), st.sampled_from([(2, False), (3, False), (3, True)]))
def test_pooling_is_pytorchs(height: int, width: int, way: tuple[int, bool]) -> None:
    size, ceil = way
    values = np.random.default_rng(height * width).normal(size=(height, width, 2))
    values = values.astype(np.float32)
    expected = functional.max_pool2d(
        torch.from_numpy(values).permute(2, 0, 1)[None], size, 2, ceil_mode=ceil
    )
    found = max_pool(values, size, ceil=ceil)
    assert np.array_equal(found, expected[0].permute(1, 2, 0).numpy())


@pytest.mark.parametrize("metric", [Lpips(weights("alex")), Dists(weights("vgg"))])
def test_more_noise_is_farther_and_small_images_are_left_out(metric: Lpips | Dists) -> None:
    near, far = metric(spoilt(COFFEE, 3), COFFEE), metric(spoilt(COFFEE, 30), COFFEE)
    assert 0 < near < far
    wide = COFFEE.astype(np.uint16) * 257
    assert metric(wide, spoilt(COFFEE, 3)) == pytest.approx(near, rel=1e-3)
    small = COFFEE[: MINIMUM - 1]
    assert math.isnan(metric(small, small))
    with pytest.raises(UsageError, match="differ in size"):
        metric(COFFEE, COFFEE[:-1])


def test_the_linear_layers_may_be_ones_own() -> None:
    own = {
        f"lin{number}.model.1.weight": np.full((1, count, 1, 1), 0.5, np.float32)
        for number, count in enumerate(CHANNELS["alex"])
    }
    halved = Lpips({**weights("alex"), **own})
    doubled = Lpips({**weights("alex"), **{name: 2 * value for name, value in own.items()}})
    pair = spoilt(COFFEE), COFFEE
    assert doubled(*pair) == pytest.approx(2 * halved(*pair), rel=1e-5)
    assert halved(*pair) != pytest.approx(Lpips(weights("alex"))(*pair), rel=0.1)
    del own["lin3.model.1.weight"]
    with pytest.raises(UsageError, match=r"lin3\.model\.1\.weight must be there with 256 values"):
        Lpips({**weights("alex"), **own})


def test_the_released_last_layers_fit_their_networks() -> None:
    held = parameters("lpips")
    for kind, channels in CHANNELS.items():
        assert [held[f"{kind}.lin{i}"].size for i in range(len(channels))] == list(channels)
    assert min(values.min() for values in held.values()) >= 0
    assert {name: values.size for name, values in parameters("dists").items()} == {
        "alpha": 1475,
        "beta": 1475,
    }


@pytest.mark.parametrize("newer", [True, False])
def test_weights_are_found_where_the_user_says(
    newer: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (LPIPS_VARIABLE, DISTS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    assert find_lpips() is None
    assert find_dists() is None
    linear = {
        f"lin{number}.model.1.weight": torch.ones(1, count, 1, 1)
        for number, count in enumerate(CHANNELS["alex"])
    }
    for name, table in (("net.pth", network("alex").state_dict()), ("last.pth", linear)):
        torch.save(table, tmp_path / name, _use_new_zipfile_serialization=newer)
    pair = spoilt(COFFEE), COFFEE
    released = find_lpips([tmp_path / "net.pth"])
    assert released is not None
    assert released(*pair) == Lpips(weights("alex"))(*pair)
    both = find_lpips([tmp_path])
    assert both is not None
    assert both(*pair) > 2 * released(*pair)
    monkeypatch.setenv(LPIPS_VARIABLE, str(tmp_path / "net.pth"))
    named = find_lpips()
    assert named is not None
    assert named(*pair) == released(*pair)


def test_what_does_not_fit_is_refused_in_a_line(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(1, 2, 3, 4)}, tmp_path / "other.pth")
    torch.save(network("alex").state_dict(), tmp_path / "alexnet-owt-7be5be79.pth")
    torch.save(network("alex").state_dict(), tmp_path / "alex.pth")
    incomplete = {k: v for k, v in network("alex").state_dict().items() if "10" not in k}
    torch.save(incomplete, tmp_path / "part.pth")
    (tmp_path / "empty").mkdir()
    for place, reason in {
        "other.pth": "not the weights of AlexNet, VGG-16, SqueezeNet 1.1",
        "alexnet-owt-7be5be79.pth": "sha256 does not begin with 7be5be79",
        "part.pth": r"not the weights of AlexNet: 'features\.10\.weight' is missing",
        "empty": "no weights in it",
        "nothing.pth": "No such file",
    }.items():
        with pytest.raises(UsageError, match=reason) as caught:
            find_lpips([tmp_path / place])
        assert str(tmp_path / place) in str(caught.value)
    with pytest.raises(UsageError, match="DISTS needs VGG-16, not AlexNet"):
        find_dists([tmp_path / "alex.pth"])
    with pytest.raises(UsageError, match="1475 values each"):
        Dists({**weights("vgg"), "alpha": np.ones(4), "beta": np.ones(4)})
