"""bfloat16 where the hardware has it, float32 elsewhere, and a line that says which."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_recipe import SMALL

from undark.train import precision, run
from undark.train.precision import choose_precision, has_bfloat16
from undark.train.recipe import Fit
from undark.train.weights import load_weights


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch):
    """Makes the processor one with the given flags, as PyTorch tells them."""

    def make(**flags: object) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags, raising=False)

    return make


@pytest.mark.parametrize(
    ("flags", "chosen"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16-mixed"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bf16-mixed"),
        ({"avx512_f": True, "avx512_bf16": False, "architecture": "x86_64"}, "32-true"),
        ({}, "32-true"),
    ],
)
def test_auto_asks_the_processor(processor, flags: dict[str, object], chosen: str) -> None:
    processor(**flags)
    found, line = choose_precision("auto", "cpu")
    assert found == chosen
    assert ("bfloat16, which" if chosen == "bf16-mixed" else "float32") in line
    assert "processor" in line


def test_an_older_pytorch_leaves_it_to_linux(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    told = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "_CPUINFO", told)
    assert not has_bfloat16("cpu")
    told.write_text("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 x\n", encoding="utf-8")
    assert has_bfloat16("cpu")
    told.write_text("processor\t: 0\nflags\t\t: fpu avx512f\n", encoding="utf-8")
    assert not has_bfloat16("cpu")


@pytest.mark.parametrize("real", [True, False])
def test_auto_asks_the_gpu_where_there_is_one(
    processor, monkeypatch: pytest.MonkeyPatch, real: bool
) -> None:
    processor(avx512_bf16=True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def supported(including_emulation: bool = True) -> bool:
        return real or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    chosen, line = choose_precision("auto", "auto")
    assert chosen == ("bf16-mixed" if real else "32-true")
    assert "GPU" in line
    assert choose_precision("auto", "cpu")[0] == "bf16-mixed"


@pytest.mark.parametrize("asked", ["bf16-mixed", "16-mixed", "32-true"])
def test_what_a_recipe_asks_for_is_done(processor, asked) -> None:
    processor()
    chosen, line = choose_precision(asked, "cpu")
    assert chosen == asked
    assert "as fit.precision says" in line


def test_a_run_chooses_by_itself_and_says_which(pairs: Path, tmp_path: Path, processor) -> None:
    assert Fit().precision == "auto"
    settings = [s for s in SMALL if "precision" not in s]
    states = {}
    for name, flags in (("with", {"avx512_bf16": True}), ("without", {})):
        processor(**flags)
        notices: list[str] = []
        done = run(
            "unet", data=pairs, out=tmp_path / name, overrides=settings, notify=notices.append
        )
        said = "bfloat16, which" if flags else "float32, as"
        assert sum(f"computing in {said}" in line for line in notices) == 1
        weights = load_weights(done.folder)
        assert weights.recipe.fit.precision == "auto"
        states[name] = weights.state
    exact = run(
        "unet", data=pairs, out=tmp_path / "exact", overrides=[*settings, "fit.precision=32-true"]
    )
    wanted = load_weights(exact.folder).state
    assert all(torch.equal(value, wanted[key]) for key, value in states["without"].items())
    assert not all(torch.equal(value, wanted[key]) for key, value in states["with"].items())
