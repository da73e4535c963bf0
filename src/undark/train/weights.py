"""Weights for learning: safetensors with the recipe in their metadata; nothing that unpickles."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from undark.errors import ModelError, RecipeError, UndarkError
from undark.io.atomic import write_atomically
from undark.models.store import check_learned, resolve
from undark.train.names import CHECKPOINT, WEIGHTS
from undark.train.recipe import Recipe, parse

__all__ = [
    "HALF",
    "Weights",
    "load_checkpoint",
    "load_into",
    "load_weights",
    "save_weights",
]

HALF = ".half"
"""What the name of a tensor ends in that an ONNX file keeps in 16 bits."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A network's state by parameter name, the recipe that made it, and what was measured."""

    state: dict[str, Tensor]
    recipe: Recipe
    measured: list[dict[str, Any]]


def save_weights(weights: Weights, path: Path) -> None:
    """Write `weights` as a safetensors file, atomically.

    Raises:
        OutputError: The file cannot be written.
    """
    metadata = {
        "recipe": json.dumps(weights.recipe.to_dict()),
        "measured": json.dumps(weights.measured),
    }
    state = {name: value.detach().cpu().contiguous() for name, value in weights.state.items()}
    write_atomically(path, safetensors.torch.save(state, metadata))


def load_weights(model: str | Path) -> Weights:
    """Weights to start from or to export.

    Args:
        model: A run's folder, a ``.safetensors`` or ``.ckpt`` file of a run, an ONNX file that
            undark exported, or a name of the catalog.

    Raises:
        ModelError: There are no such weights, or they were not made by undark.
    """
    check_learned(model)
    path = Path(model)
    # A folder that holds no run may bear the name of a model of the catalog.
    held = [path / name for name in (WEIGHTS, CHECKPOINT) if (path / name).is_file()]
    path = held[0] if held else path
    try:
        if path.suffix == ".safetensors":
            return _from_safetensors(path)
        if path.suffix == ".ckpt":
            return _from_checkpoint(path)
        return _from_onnx(resolve(model).read(), str(model))
    except UndarkError:
        raise
    except Exception as error:
        raise ModelError(f"{path}: not weights that undark made: {error}") from error


def load_into(network: nn.Module, weights: Weights) -> None:
    """Give `network` the parameters that `weights` hold for it.

    One that has a method ``grown`` may make those of a smaller one fit.

    Raises:
        RecipeError: They are of a network of other sizes or of another kind.
    """
    own = network.state_dict()
    grown: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = getattr(network, "grown", None)
    state = weights.state if grown is None else grown(weights.state)
    fitting = {
        name: value
        for name, value in state.items()
        if name in own and own[name].shape == value.shape
    }
    if len(fitting) < len(own):
        missing = next(name for name in own if name not in fitting)
        raise RecipeError(
            f"the weights to start from belong to another network ({missing!r} does not fit);"
            " use their recipe's [net] table"
        )
    network.load_state_dict(fitting)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A Lightning checkpoint, read without unpickling anything but tensors and plain values.

    Raises:
        ModelError: The file is missing or is not a checkpoint.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(f"{path}: not a checkpoint that undark made: {error}") from error
    if not isinstance(loaded, dict) or "recipe" not in loaded:
        raise ModelError(f"{path}: not a checkpoint that undark made: it holds no recipe")
    return loaded


def _from_safetensors(path: Path) -> Weights:
    with safetensors.safe_open(path, framework="pt") as opened:
        metadata = opened.metadata() or {}
        state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return Weights(
        state, parse(json.loads(metadata["recipe"])), json.loads(metadata.get("measured", "[]"))
    )


def _from_checkpoint(path: Path) -> Weights:
    checkpoint = load_checkpoint(path)
    averaged = checkpoint.get("average")
    if averaged is None:
        prefix = "network."
        averaged = {
            name.removeprefix(prefix): value
            for name, value in checkpoint["state_dict"].items()
            if name.startswith(prefix)
        }
    return Weights(averaged, parse(checkpoint["recipe"]), [])


def _from_onnx(content: bytes, name: str) -> Weights:
    graph = onnx.load_model_from_string(content)
    metadata = {item.key: item.value for item in graph.metadata_props}
    if "recipe" not in metadata:
        raise ModelError(f"{name}: an ONNX file without undark's recipe cannot be learned from")
    state = {
        item.name.removesuffix(HALF): torch.from_numpy(_widened(onnx.numpy_helper.to_array(item)))
        for item in graph.graph.initializer
    }
    return Weights(
        state, parse(json.loads(metadata["recipe"])), json.loads(metadata.get("measured", "[]"))
    )


def _widened(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float32) if values.dtype == np.float16 else np.array(values)
