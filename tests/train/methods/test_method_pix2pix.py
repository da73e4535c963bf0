"""Pix2Pix and its parts: who wins, who is moved, and that no grid is drawn."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_recipe import SMALL

from undark.errors import DivergedError
from undark.train import run
from undark.train.losses.adversarial import Pool, adversarial, frozen
from undark.train.methods import make_method
from undark.train.methods.pix2pix import Pix2Pix
from undark.train.nets.patch import PatchDiscriminator
from undark.train.nets.unet import UNet
from undark.train.recipe import override

GAN = (*SMALL, "options.discriminator=[4, 8]")


@pytest.mark.parametrize("criterion", ["bce", "least-squares"])
def test_the_loss_is_least_where_the_verdict_is_right(criterion) -> None:
    def loss(value: float, *, real: bool) -> float:
        logits = torch.full((1, 1, 3, 3), value)
        return float(adversarial(logits, real=real, criterion=criterion))

    assert loss(1.0, real=True) < loss(0.2, real=True) < loss(-2.0, real=True)
    assert loss(0.0, real=False) < loss(0.8, real=False) < loss(2.0, real=False)


@pytest.mark.parametrize("spectral", [True, False])
def test_a_discriminator_learns_to_tell_real_from_fake(spectral: bool) -> None:
    torch.manual_seed(0)
    judge = PatchDiscriminator(3, widths=(8, 16), spectral=spectral)
    optimizer = torch.optim.Adam(judge.parameters(), 4e-3)
    smooth = torch.rand(4, 3, 4, 4)
    real = torch.nn.functional.interpolate(smooth, size=(48, 48), mode="bilinear")
    fake = (real + 0.1 * torch.randn_like(real)).clamp(0, 1)
    for _ in range(60):
        loss = adversarial(judge(real), real=True, criterion="bce") + adversarial(
            judge(fake), real=False, criterion="bce"
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float((judge(real) > 0).float().mean()) > 0.9
    assert float((judge(fake) < 0).float().mean()) > 0.9


@given(st.integers(1, 70), st.integers(1, 70))
@settings(max_examples=15, deadline=None)
def test_a_discriminator_takes_any_size(height: int, width: int) -> None:
    logits = PatchDiscriminator(3, widths=(4, 4))(torch.rand(1, 3, height, width))
    assert logits.shape[:2] == (1, 1)
    assert torch.isfinite(logits).all()


def test_a_frozen_network_passes_gradient_on_and_takes_none() -> None:
    judge = PatchDiscriminator(3, widths=(4, 4), spectral=False)
    picture = torch.rand(1, 3, 32, 32, requires_grad=True)
    with frozen(judge):
        loss = judge(picture).sum()
    loss.backward()
    assert picture.grad is not None
    assert float(picture.grad.abs().sum()) > 0
    assert all(p.grad is None and p.requires_grad for p in judge.parameters())


@given(st.integers(0, 6), st.lists(st.integers(1, 4), min_size=1, max_size=6))
@settings(deadline=None)
def test_a_pool_gives_as_many_as_it_gets_and_only_what_it_got(size: int, batches) -> None:
    pool = Pool(size)
    seen: set[float] = set()
    number = 0
    for count in batches:
        fakes = torch.arange(number, number + count, dtype=torch.float32).view(-1, 1, 1, 1)
        number += count
        seen |= set(fakes.flatten().tolist())
        given_back = pool(fakes)
        assert given_back.shape == fakes.shape
        assert set(given_back.flatten().tolist()) <= seen
        assert pool.held.shape[0] <= size
        if not size:
            assert torch.equal(given_back, fakes)


def test_a_pool_is_part_of_the_state() -> None:
    pool, other = Pool(5), Pool(5)
    pool(torch.rand(3, 1, 2, 2))
    other.load_state_dict(pool.state_dict())
    assert torch.equal(pool.held, other.held)


@pytest.mark.parametrize("widths", [(6, 8), (6, 8, 8, 8)])
def test_no_weights_whatever_draw_a_grid(widths) -> None:
    """A flat picture gives a flat one: reflection and resize-convolution leave no checkerboard."""
    torch.manual_seed(3)
    network = UNet(widths=widths, glance=16, context=4, padding="reflect", last="resize").eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.2)
    side = 4 * network.multiple
    flat = torch.rand(1, 3, 1, 1).expand(1, 3, side, side).contiguous()
    with torch.no_grad():
        output = network(flat, flat[:, :, :16, :16])
    spread = (output.amax((2, 3)) - output.amin((2, 3))) / output.abs().amax((2, 3)).clamp(min=1e-3)
    assert float(spread.max()) < 1e-3


def test_a_pixel_shuffle_does_draw_one() -> None:
    """What the test above would find."""
    torch.manual_seed(3)
    network = UNet(widths=(6, 8), glance=16, context=4, padding="reflect").eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.2)
    flat = torch.full((1, 3, 32, 32), 0.3)
    with torch.no_grad():
        output = network(flat, flat[:, :, :16, :16])
    assert float((output.amax((2, 3)) - output.amin((2, 3))).max()) > 0.02


def _method(*settings: str) -> Pix2Pix:
    method = make_method(override(Pix2Pix.default_recipe("pix2pix"), (*GAN, *settings)))
    assert isinstance(method, Pix2Pix)
    return method


def _batch() -> dict[str, torch.Tensor]:
    truth = torch.rand(2, 3, 32, 32)
    glance = torch.rand(2, 3, 16, 16)
    return {
        "image": truth * 0.1,
        "truth": truth,
        "glance": glance * 0.1,
        "truth_glance": glance,
        "told": torch.tensor([True, False]),
    }


def test_each_player_is_moved_by_its_own_loss_alone() -> None:
    torch.manual_seed(0)
    method = _method("options.reconstruction=0.0")
    terms = method.losses(_batch())
    inside = list(method.discriminator.parameters())
    terms["discriminator"].backward(retain_graph=True)
    assert all(p.grad is None for p in method.network.parameters())
    before = [p.grad.clone() for p in inside if p.grad is not None]
    assert before
    for parameter in inside:
        parameter.grad = None
    terms["loss"].backward()
    after = [p.grad for p in inside if p.grad is not None]
    for one, two in zip(before, after, strict=True):
        torch.testing.assert_close(one, two)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in method.network.parameters())


def test_pix2pix_learns_and_plots_both_losses(pairs: Path, tmp_path: Path) -> None:
    done = run(
        "pix2pix",
        data=pairs,
        out=tmp_path / "run",
        overrides=(*GAN, "fit.steps=60", "fit.lr=0.004", "fit.ema=0.9"),
    )
    lines = (done.folder / "history.csv").read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",")
    assert {"train/generator", "train/discriminator"} <= set(names)
    pixel = [float(v) for line in lines[1:] if (v := line.split(",")[names.index("train/pixel")])]
    assert pixel[-1] < 0.7 * pixel[0]


@pytest.mark.parametrize("method", ["pix2pix", "cyclegan"])
def test_a_resumed_run_is_the_run_itself(method: str, pairs: Path, tmp_path: Path) -> None:
    settings = (*GAN, "fit.steps=5", "fit.ema=0.5")
    whole = run(method, data=pairs, out=tmp_path / "whole", overrides=settings)

    def interrupt(line: str) -> None:
        if line.startswith("step 3 of"):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(method, data=pairs, out=tmp_path / "cut", overrides=settings, notify=interrupt)
    cut = run(method, data=pairs, out=tmp_path / "cut", overrides=settings, resume=True)
    one, two = (torch.load(f.folder / "last.ckpt", weights_only=True) for f in (whole, cut))
    assert one["state_dict"].keys() == two["state_dict"].keys()
    for name, value in one["state_dict"].items():
        assert torch.equal(value, two["state_dict"][name]), name


def test_a_loss_that_is_no_number_ends_the_run(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="step"):
        run(
            "pix2pix",
            data=pairs,
            out=tmp_path / "run",
            overrides=(*GAN, "options.reconstruction=inf"),
        )
    assert not list((tmp_path / "run").glob("*.safetensors"))
