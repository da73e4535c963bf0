from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from undark.train.nets.unet import GlanceEncoder, UNet, curve, solve_gain


def scrambled(**sizes) -> UNet:
    """A network whose every weight matters, as after training."""
    torch.manual_seed(0)
    network = UNet(**{"widths": (8, 12, 16), "glance": 16, "context": 4, **sizes}).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.08)
    return network


@settings(max_examples=15, deadline=None)
@given(
    depth=st.integers(1, 4),
    blocks=st.integers(1, 2),
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    glance=st.sampled_from([0, 16, 24]),
)
def test_any_depth_and_size(depth: int, blocks: int, rows: int, columns: int, glance: int) -> None:
    network = UNet(widths=(4, 6, 8, 10)[:depth], blocks=blocks, glance=glance, context=3)
    assert network.multiple == 2**depth
    image = torch.rand(2, 3, rows * network.multiple, columns * network.multiple)
    inputs = (image, torch.rand(2, 3, glance, glance)) if glance else (image,)
    assert network(*inputs).shape == image.shape


def test_a_network_with_a_glance_asks_for_it() -> None:
    with pytest.raises(ValueError, match="glance"):
        scrambled()(torch.rand(1, 3, 16, 16))


def test_tiles_agree_because_the_glance_decides() -> None:
    network = scrambled()
    image, glance = torch.rand(1, 3, 192, 192), torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        whole = network(image, glance)
        tile = network(image[:, :, :128, :128], glance)
    assert torch.allclose(whole[:, :, :40, :40], tile[:, :, :40, :40], atol=1e-5)


def test_the_glance_changes_the_result() -> None:
    network = scrambled()
    image = torch.rand(1, 3, 32, 32) * 0.2
    with torch.no_grad():
        dim = network(image, torch.full((1, 3, 16, 16), 0.02))
        lit = network(image, torch.full((1, 3, 16, 16), 0.5))
    assert (dim - lit).abs().mean() > 1e-3


@given(gain=st.floats(0.5, 60.0), black=st.floats(0.0, 0.08))
def test_the_curve_is_monotone_and_keeps_black_and_white(gain: float, black: float) -> None:
    ramp = torch.linspace(0, 1, 256).expand(1, 3, 1, 256)
    out = curve(ramp, torch.full((1, 3, 1, 1), gain), torch.full((1, 3, 1, 1), black))
    assert (out.diff(dim=3) >= -1e-6).all()
    assert float(out.min()) == pytest.approx(0.0, abs=1e-5)
    assert float(out.max()) > 0.98
    assert float(out.max()) <= 1.0


def test_the_curve_with_gain_one_is_the_identity() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 1, 64)
    same = curve(ramp, torch.ones(1, 3, 1, 1), torch.zeros(1, 3, 1, 1))
    assert torch.allclose(same, ramp, atol=2e-4)


@settings(deadline=None)
@given(gain=st.floats(0.6, 50.0), darkness=st.floats(1.0, 6.0), seed=st.integers(0, 99))
def test_the_solved_gain_gives_the_wanted_mean(gain: float, darkness: float, seed: int) -> None:
    torch.manual_seed(seed)
    glance = torch.rand(1, 3, 16, 16) ** darkness
    black = torch.zeros(1, 3, 1, 1)
    wanted = curve(glance, torch.full((1, 3, 1, 1), gain), black).mean((1, 2, 3), keepdim=True)
    solved = solve_gain(glance, wanted.clamp(0.02, 0.97)).expand(-1, 3, -1, -1)
    got = curve(glance, solved, black).mean()
    assert float(got) == pytest.approx(float(wanted.clamp(0.02, 0.97)), abs=0.02)


def test_a_shrunk_guess_lies_between_the_prior_and_the_guess() -> None:
    torch.manual_seed(0)
    glance = torch.rand(3, 3, 32, 32) * 0.2
    levels = []
    encoder = GlanceEncoder(context=4)
    torch.nn.init.normal_(encoder.decide.weight, 0.0, 0.5)
    encoder.eval()
    for shrink in (0.0, 0.5, 1.0):
        encoder.shrink = shrink
        with torch.no_grad():
            decision = encoder(glance)
            relit = curve(glance, decision.gain / decision.tint, torch.zeros(3, 3, 1, 1))
        levels.append(torch.logit(relit.mean((1, 2, 3))))
    prior, half, whole = levels
    torch.testing.assert_close(prior, encoder.prior.detach().expand(3), atol=0.01, rtol=0)
    torch.testing.assert_close(half, (prior + whole) / 2, atol=0.01, rtol=0)
    assert float((whole - prior).abs().min()) > 0.01
