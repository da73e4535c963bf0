"""`benchmarks/guess.py`: a guess shrunk for one kind of photo and kept for another."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

torch = pytest.importorskip("torch", reason="learning needs PyTorch")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "guess.py"


@pytest.fixture(scope="module")
def guess() -> ModuleType:
    spec = importlib.util.spec_from_file_location("guess", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["guess"] = module
    spec.loader.exec_module(module)
    return module


def kinds(guess: ModuleType, *, seed: int):
    """Two kinds, told apart by the first of eight features; the second one carries the guess."""
    torch.manual_seed(seed)
    found = []
    for flag, count in ((0.0, 200), (1.0, 50)):
        features = torch.randn(count, 8)
        features[:, 0] = flag
        said = 0.3 * features[:, 1] + 0.5 * flag
        truth = torch.full((count,), 0.1) + 0.4 * torch.randn(count)
        found.append(guess.Kind(features, said, truth, bool(flag)))
    return found


@pytest.mark.parametrize("keep", [0.0, 0.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_one_kind_is_shrunk_to_its_truths_mean_and_the_other_keeps_its_level(
    guess: ModuleType, keep: float, seed: int
) -> None:
    shy, bold = kinds(guess, seed=seed)
    weights, bias = guess.refit([shy, bold], keep=keep, ridge=1e-3, bold=3.0)
    now = [kind.features @ weights + bias for kind in (shy, bold)]
    assert float(now[0].mean()) == pytest.approx(float(shy.truth.mean()), abs=0.02)
    assert float(now[1].mean()) == pytest.approx(float(bold.guess.mean()), abs=0.02)


def test_alone_a_kind_keeps_just_the_part_of_its_spread_that_is_asked_for(
    guess: ModuleType,
) -> None:
    shy, _ = kinds(guess, seed=2)
    weights, bias = guess.refit([shy], keep=0.25, ridge=1e-6, bold=3.0)
    now = shy.features @ weights + bias
    assert float(now.std()) == pytest.approx(0.25 * float(shy.guess.std()), rel=0.01)


def test_a_strong_ridge_leaves_a_constant(guess: ModuleType) -> None:
    weights, _ = guess.refit(kinds(guess, seed=3), keep=1.0, ridge=1e9, bold=3.0)
    assert float(weights.abs().max()) < 1e-4


def test_a_network_without_a_guess_is_refused_in_one_line(
    guess: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["guess.py", "agent", "--data", ".", "-o", "x.safetensors"])
    with pytest.raises(SystemExit, match="2"):
        guess.main()
    assert "does not guess by a glance" in capsys.readouterr().err
