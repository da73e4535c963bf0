"""From learned weights to a model that runs anywhere: ONNX, checked, with a card."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime
import torch

from undark.errors import ModelError
from undark.io.atomic import write_atomically
from undark.models.card import UNSTATED, Card, DataSource, Glance, Metric
from undark.models.catalog import names
from undark.train.early import check_onnx_name
from undark.train.methods import make_method
from undark.train.methods.base import Method
from undark.train.recipe import Recipe
from undark.train.weights import HALF, Weights, load_weights

__all__ = ["Exported", "export_model"]

OPSET = 20

_TOLERANCE = 1e-3
_SMALL = 64


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        model: The ONNX file.
        card: The card beside it.
        difference: Largest difference between PyTorch's and ONNX Runtime's results over images
            of several sizes, on a scale where white is 1.
    """

    model: Path
    card: Path
    difference: float


def export_model(
    checkpoint: str | Path,
    output: Path,
    *,
    name: str | None = None,
    licence: str | None = None,
    author: str | None = None,
    data: str | None = None,
    data_licence: str | None = None,
    metrics: Sequence[Metric] = (),
    half: bool = False,
) -> Exported:
    """Write weights as ONNX with dynamic size, and the card beside it.

    A text that is empty counts as not given; an empty `author` leaves the recipe's out.

    Args:
        checkpoint: A run's folder, or a ``.safetensors`` or ``.ckpt`` file of a run.
        output: The ``.onnx`` file to write; the card gets the same stem and ``.json``.
        name: What the model is called, on its card and when it runs; by default as the run's
            folder, or as `output` where that has the name of a model of the catalog.
        licence: Of the weights; by default as the recipe says.
        author: Who made them; by default as the recipe says.
        data: What they learned from, in the place of the names of the recipe's sources.
        data_licence: Licence of `data`, or of every source whose licence the recipe does not state.
        metrics: Further results for the card, in addition to those of the run's own validation.
        half: Keep the weights in 16 bits: half the size. They are computed with in 32 bits still.

    Raises:
        ModelError: The weights cannot be used, or the graph's results differ from PyTorch's.
        OutputError: A file cannot be written.
    """
    name, licence = _given(name), _given(licence)
    data, data_licence = _given(data), _given(data_licence)
    output = Path(output)
    check_onnx_name(output)
    weights = load_weights(checkpoint)
    method = make_method(weights.recipe)
    state = weights.state
    if half:  # rounded before all else, so that what is compared is what is stored
        state = {k: v.half().to(v.dtype) if v.is_floating_point() else v for k, v in state.items()}
    method.network.load_state_dict(state)
    method.network.eval()
    content = _annotate(_to_onnx(method), weights, half=half)
    difference = _compare(method, content)
    if difference > _TOLERANCE:
        raise ModelError(
            f"{output}: the exported graph differs from PyTorch by {difference:.2g}; not written"
        )
    sources = _sources(weights.recipe, data, data_licence)
    card = _card(method, weights, content, sources, tuple(metrics))
    card = replace(
        card,
        name=name or _own_name(Path(checkpoint), output),
        licence=card.licence if licence is None else licence,
        author=card.author if author is None else author.strip(),
    )
    write_atomically(output, content)
    write_atomically(output.with_suffix(".json"), card.dump().encode())
    return Exported(output, output.with_suffix(".json"), difference)


def _given(text: str | None) -> str | None:
    """A text that a user gave; None where it is empty."""
    return (text or "").strip() or None


def _to_onnx(method: Method[Any, Any]) -> bytes:
    shapes = method.shapes()
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # its notes are not for users
        path = Path(folder) / "model.onnx"
        program = torch.onnx.export(
            method.network,
            method.examples(np.random.default_rng(0))[0],
            input_names=list(shapes),
            output_names=list(method.outputs),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        program.save(path, external_data=False)
        return path.read_bytes()


def _annotate(content: bytes, weights: Weights, *, half: bool) -> bytes:
    """Put in the recipe, so that the model can be learned from; drop the exporter's notes."""
    model = onnx.load_model_from_string(content)
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    if half:
        _halve(model.graph)
    model.producer_name = "undark"
    onnx.helper.set_model_props(
        model,
        {
            "recipe": json.dumps(weights.recipe.to_dict()),
            "measured": json.dumps(weights.measured),
        },
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _halve(graph: onnx.GraphProto) -> None:
    """Store weights in 16 bits, each widened by a Cast that runtimes fold when they load.

    They are rounded already. A constant that 16 bits do not hold, such as the points at which
    curves are sampled, is none of them and stays.
    """
    casts: list[onnx.NodeProto] = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _SMALL:
            continue
        if not np.array_equal(values, values.astype(np.float16)):
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), name + HALF))
        casts.append(
            onnx.helper.make_node("Cast", [name + HALF], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])


def _compare(method: Method[Any, Any], content: bytes) -> float:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    largest = 0.0
    for inputs in method.examples(np.random.default_rng(0)):
        with torch.no_grad():
            expected = method.network(*inputs)
        feed = dict(zip(method.shapes(), (value.numpy() for value in inputs), strict=True))
        results: Any = session.run(list(method.outputs), feed)
        wanted = [expected] if isinstance(expected, torch.Tensor) else expected
        for result, tensor in zip(results, wanted, strict=True):
            largest = max(largest, float(np.abs(result - tensor.numpy()).max()))
    return largest


def _own_name(checkpoint: Path, output: Path) -> str:
    """What a model is called that nobody named: as its run, but for what comes with undark."""
    run = checkpoint if checkpoint.is_dir() else checkpoint.parent
    name = run.resolve().name
    return output.stem if name in names() or not (run / "recipe.toml").is_file() else name


def _sources(recipe: Recipe, data: str | None, data_licence: str | None) -> tuple[DataSource, ...]:
    """What the card says of the data: as the recipe does, or as the user says."""
    if data is not None:
        return (DataSource(name=data, licence=data_licence or UNSTATED),)
    found: dict[str, DataSource] = {}
    for source in recipe.data.sources:
        name = source.name or ("own data" if source.path == "." else source.path)
        licence = source.licence
        if data_licence is not None and licence == UNSTATED:
            licence = data_licence
        found[name] = DataSource(name=name, licence=licence, source=source.url)
    return tuple(found.values())


def _card(
    method: Method[Any, Any],
    weights: Weights,
    content: bytes,
    sources: tuple[DataSource, ...],
    metrics: tuple[Metric, ...],
) -> Card:
    recipe = weights.recipe
    measured = tuple(
        Metric(
            on=f"{record['on']}, unseen scenes",
            protocol="plain",
            pictures=int(record["pictures"]),
            values={key: round(float(record[key]), 4) for key in ("psnr", "ssim")},
        )
        for record in weights.measured
    )
    return Card(
        name=recipe.name,
        title=recipe.title or f"{recipe.method}, trained on own data",
        summary=recipe.summary or "Trained with undark on the data named here.",
        method=method.kind,
        sha256=hashlib.sha256(content).hexdigest(),
        parameters=sum(item.numel() for item in method.network.parameters()),
        licence=recipe.licence,
        data=sources,
        recipe=f"{recipe.name}.toml",
        glance=Glance(method.glance, method.glance) if method.glance else None,
        scaling=method.scaling(),
        metrics=(*measured, *metrics),
        papers=method.papers,
        author=recipe.author,
    )
