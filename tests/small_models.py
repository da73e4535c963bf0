"""Small models built on the spot, so that no test of the engine needs real weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from undark.models import Card, DataSource, Glance, Scaling
from undark.pixels.look import ACTIONS, STATE, STOP
from undark.pixels.steps import Step

MakeModel = Callable[..., Path]


def bright_graph(glance: Glance | None, multiple: int) -> onnx.ModelProto:
    """A graph that brightens by 3 - 2·mean(glance) (or by 2 without one) and blurs 3×3.

    It regroups blocks of `multiple` pixels and back, so it fails on any other size.
    """
    kernel = np.zeros((3, 1, 3, 3), dtype=np.float32)
    kernel[:, 0] = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=np.float32) / 16
    constants = [numpy_helper.from_array(kernel, "kernel")]
    nodes = [
        helper.make_node("SpaceToDepth", ["image"], ["deep"], blocksize=multiple),
        helper.make_node("DepthToSpace", ["deep"], ["same"], blocksize=multiple),
        helper.make_node("Conv", ["same", "kernel"], ["soft"], group=3, pads=[1, 1, 1, 1]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    inputs = [image]
    if glance is None:
        constants.append(numpy_helper.from_array(np.array(2.0, dtype=np.float32), "gain"))
    else:
        size = ["n", 3, glance.height, glance.width]
        inputs.append(helper.make_tensor_value_info("glance", TensorProto.FLOAT, size))
        constants.append(numpy_helper.from_array(np.array(-2.0, dtype=np.float32), "slope"))
        constants.append(numpy_helper.from_array(np.array(3.0, dtype=np.float32), "most"))
        nodes += [
            helper.make_node("ReduceMean", ["glance"], ["mean"], axes=[1, 2, 3], keepdims=1),
            helper.make_node("Mul", ["mean", "slope"], ["less"]),
            helper.make_node("Add", ["less", "most"], ["gain"]),
        ]
    nodes.append(helper.make_node("Mul", ["soft", "gain"], ["enhanced"]))
    output = helper.make_tensor_value_info("enhanced", TensorProto.FLOAT, ["n", 3, "h", "w"])
    graph = helper.make_graph(nodes, "bright", inputs, [output], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def steps_graph(side: int) -> onnx.ModelProto:
    """A policy that takes exposure +1.2 while the glance's mean is below 0.3, then stops."""
    more = ACTIONS.index(Step("exposure", 1.2))
    way = np.zeros((1, STOP + 1), np.float32)
    way[0, more] = 1.0
    rest = np.full((1, STOP + 1), -9.0, np.float32)
    rest[0, more], rest[0, STOP] = 0.3, 0.0
    constants = [
        numpy_helper.from_array(-way, "way"),
        numpy_helper.from_array(rest, "rest"),
        numpy_helper.from_array(np.zeros((STATE, STOP + 1), np.float32), "ignored"),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["glance"], ["deep"], axes=[1, 2], keepdims=0),
        helper.make_node("ReduceMean", ["deep"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "way"], ["less"]),
        helper.make_node("Add", ["less", "rest"], ["seen"]),
        helper.make_node("MatMul", ["state", "ignored"], ["nothing"]),
        helper.make_node("Add", ["seen", "nothing"], ["logits"]),
    ]
    sizes = {"glance": ["n", 3, side, side], "state": ["n", STATE]}
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in sizes.items()]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", STOP + 1])
    graph = helper.make_graph(nodes, "steps", inputs, [output], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def save_model(graph: onnx.ModelProto, path: Path, glance: Glance | None, scaling: Scaling) -> Path:
    """Write a graph as `path` with a card beside it."""
    data = graph.SerializeToString()
    path.write_bytes(data)
    card = Card(
        name=path.stem,
        title="A small model for tests",
        summary="Brightens by a gain that the whole photo decides.",
        method="supervised",
        sha256=hashlib.sha256(data).hexdigest(),
        parameters=27,
        licence="MIT",
        data=(DataSource(name="none", licence="CC0-1.0"),),
        recipe="none.toml",
        glance=glance,
        scaling=scaling,
    )
    path.with_suffix(".json").write_text(card.dump(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Build a small model that brightens; keywords but `glance` go to its `Scaling`."""

    def make(*, glance: bool = True, multiple: int = 8, **scaling: object) -> Path:
        size = Glance(16, 24) if glance else None
        return save_model(
            bright_graph(size, multiple),
            tmp_path_factory.mktemp("model") / "bright.onnx",
            size,
            Scaling(multiple=multiple, **scaling),
        )

    return make


@pytest.fixture(scope="session")
def steps_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that brightens in steps."""
    path = tmp_path_factory.mktemp("steps") / "stepper.onnx"
    return save_model(steps_graph(32), path, Glance(32, 32), Scaling(mode="steps", multiple=1))
