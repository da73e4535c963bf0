"""The contract holds for a small model of a user's own, and fails for a bad one."""

import onnx
import pytest
from onnx import TensorProto, helper

from small_models import save_model, steps_graph
from undark.models import Glance, Model, Scaling, resolve
from undark.testing import ModelContract


def curve_graph() -> onnx.ModelProto:
    """enhanced = image^(0.1 + 1.5·mean of the glance's square root): the darker, the more lift."""
    names = {"half": 0.5, "least": 0.1, "slope": 1.5}
    constants = [helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in names.items()]
    nodes = [
        helper.make_node("Pow", ["glance", "half"], ["root"]),
        helper.make_node("ReduceMean", ["root"], ["level"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["level", "slope"], ["scaled"]),
        helper.make_node("Add", ["scaled", "least"], ["power"]),
        helper.make_node("Pow", ["image", "power"], ["enhanced"]),
    ]
    sizes = {"image": ["n", 3, "h", "w"], "glance": ["n", 3, 16, 16]}
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in sizes.items()]
    output = helper.make_tensor_value_info("enhanced", TensorProto.FLOAT, sizes["image"])
    graph = helper.make_graph(nodes, "curve", inputs, [output], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Model:
    path = tmp_path_factory.mktemp("own") / "curve.onnx"
    return resolve(save_model(curve_graph(), path, Glance(16, 16), Scaling(tile=256, overlap=32)))


class TestOwnModel(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, own: Model) -> Model:
        return own


class TestOwnGuidedModel(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, tmp_path_factory: pytest.TempPathFactory) -> Model:
        path = tmp_path_factory.mktemp("guided") / "curve.onnx"
        scaling = Scaling(mode="guided", max_side=120, tile=256, overlap=32)
        return resolve(save_model(curve_graph(), path, Glance(16, 16), scaling))


class TestOwnAgent(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, tmp_path_factory: pytest.TempPathFactory) -> Model:
        path = tmp_path_factory.mktemp("agent") / "agent.onnx"
        scaling = Scaling(mode="steps", multiple=1, tile=256, overlap=32)
        return resolve(save_model(steps_graph(32), path, Glance(32, 32), scaling))
