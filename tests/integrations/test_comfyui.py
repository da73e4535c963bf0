"""The ComfyUI node, loaded and called as ComfyUI does."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from around import ROOT

import undark
from undark.errors import UsageError


class Tensor:
    """What the node asks of a torch tensor, on a NumPy array."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def detach(self) -> Tensor:
        return self

    cpu = detach

    def float(self) -> Tensor:
        return Tensor(self.values.astype(np.float32))

    def numpy(self) -> Any:
        return self.values

    def new_tensor(self, values: Any) -> Tensor:
        return Tensor(np.asarray(values, self.values.dtype))


@pytest.fixture(scope="module")
def package() -> ModuleType:
    path = ROOT / "integrations" / "comfyui-undark" / "__init__.py"
    spec = importlib.util.spec_from_file_location("comfyui_undark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def images(count: int) -> Any:
    random = np.random.default_rng(1)
    levels = np.linspace(0.03, 0.2, count).reshape(-1, 1, 1, 1)
    return (levels * random.uniform(0.8, 1.2, (count, 40, 56, 3))).astype(np.float32)


def defaults(node: type) -> dict[str, Any]:
    """The values that the node has when it is put down."""
    found = {}
    for name, (kind, *rest) in node.INPUT_TYPES()["required"].items():  # type: ignore[attr-defined]
        if name != "image":
            found[name] = rest[0]["default"] if kind == "FLOAT" else kind[0]
    return found


def called(package: ModuleType, image: Any, **values: Any) -> Any:
    (node,) = package.NODE_CLASS_MAPPINGS.values()
    assert node.RETURN_TYPES == ("IMAGE",)
    assert package.NODE_DISPLAY_NAME_MAPPINGS.keys() == package.NODE_CLASS_MAPPINGS.keys()
    result = getattr(node(), node.FUNCTION)(image=image, **{**defaults(node), **values})
    assert isinstance(result, tuple)
    assert len(result) == 1
    return result[0]


def test_each_image_of_a_batch_is_brought_to_light(package: ModuleType) -> None:
    dark = images(3)
    bright = called(package, Tensor(dark), model="curve").values
    assert bright.shape == dark.shape
    assert bright.dtype == np.float32
    assert 0 <= bright.min() < bright.max() <= 1
    for before, after in zip(dark, bright, strict=True):
        np.testing.assert_array_equal(after, undark.enhance(before, model="curve"))
        assert after.mean() > before.mean()


def test_controls_are_inputs(package: ModuleType) -> None:
    dark = images(1)
    same = called(package, Tensor(dark), model="curve", strength=0.0).values
    np.testing.assert_allclose(same, dark, atol=1e-6)
    more = called(package, Tensor(dark), model="curve", exposure=1.0).values
    assert more.mean() > called(package, Tensor(dark), model="curve").values.mean()
    with pytest.raises(UsageError, match="local"):
        called(package, Tensor(dark), model="curve", local=0.2)


def test_models_are_offered_the_default_first(package: ModuleType) -> None:
    (node,) = package.NODE_CLASS_MAPPINGS.values()
    (models,) = node.INPUT_TYPES()["required"]["model"]
    assert models[0] == undark.models.resolve("default").card.name
    assert sorted(models) == sorted(undark.models.names())


def test_a_torch_tensor_comes_back_as_it_was(package: ModuleType) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    dark = torch.from_numpy(images(2)).half()
    bright = called(package, dark, model="curve")
    assert (bright.shape, bright.dtype, bright.device) == (dark.shape, dark.dtype, dark.device)
    assert bright.mean() > dark.mean()
