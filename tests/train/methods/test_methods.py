"""What belongs to a method: its name, what it checks, and how other packages bring theirs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from undark.cli.app import app
from undark.errors import RecipeError
from undark.models import names
from undark.train import run
from undark.train.methods import METHODS, make_method, method_class, method_names
from undark.train.methods.base import Method, NoOptions
from undark.train.recipe import load_recipe, override, parse
from undark.train.weights import load_into, load_weights

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_content_with_its_own_defaults(name: str) -> None:
    kind = method_class(name)
    plan = kind.settle(kind.default_recipe(name))
    assert METHODS[name].startswith(f"undark.train.methods.{name}:")
    assert kind.settle(plan) == plan
    assert set(plan.options) == set(kind.Options.__dataclass_fields__)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_recipes_are_what_their_methods_need(path: Path) -> None:
    plan = load_recipe(path)
    kind = method_class(plan.method)
    kind.check_sources(plan)
    assert set(plan.options) <= set(kind.settle(plan).options)


@pytest.mark.parametrize(
    ("method", "settings", "says"),
    [
        ("relight", ["data.crop=120"], r"data\.crop: must be a multiple of 16 for 3 net\.widths"),
        ("pix2pix", ["data.crop=64"], r"data\.crop: must be at least 128 for 6 net\.widths"),
        ("pix2pix", ["data.crop=200"], r"data\.crop: must be a multiple of 64"),
        ("unet", ["data.crop=100"], r"data\.crop: must be a multiple of 16"),
        ("unet", ["net.widths=[8]", "net.padding=reflect", "data.crop=16"], None),
        ("cyclegan", ["data.crop=100"], r"data\.crop: must be a multiple of 16"),
        ("cyclegan", ["net.glance=0"], r"net\.glance"),
        ("cyclegan", ["options.pool=-1"], r"options\.pool"),
        ("curve", ["net.glance=0"], r"net\.glance"),
        ("curve", ["data.crop=99"], None),
        ("agent", ["data.crop=99"], None),
        ("agent", ["net.glance=24"], r"net\.glance"),
        ("agent", ["options.epoch=3"], r"did you mean 'options\.epochs'"),
        ("relight", ["options.retarget='often'"], r"options\.retarget: expected float"),
    ],
)
def test_a_method_says_in_a_line_what_it_needs(
    method: str, settings: list[str], says: str | None
) -> None:
    kind = method_class(method)
    plan = override(kind.default_recipe(method), settings)
    if says is None:
        kind.settle(plan)
        return
    with pytest.raises(RecipeError, match=says) as caught:
        kind.settle(plan)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "setting"), [("relight", "data.crop=120"), ("pix2pix", "data.crop=64")]
)
def test_it_says_so_before_anything_is_built(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, setting: str
) -> None:
    def build(self: Method, recipe: object) -> None:
        raise AssertionError("a network is built")

    monkeypatch.setattr(method_class(method), "__init__", build)
    with pytest.raises(RecipeError, match=r"data\.crop"):
        run(method, data=pairs, out=tmp_path / "run", overrides=[setting])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("method", "setting"), [("relight", "data.crop=120"), ("pix2pix", "data.crop=64")]
)
def test_the_command_line_calls_it_wrong_usage(
    pairs: Path, tmp_path: Path, method: str, setting: str
) -> None:
    words = ["train", method, "--data", str(pairs), "--out", str(tmp_path / "x"), "--set", setting]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert done.stderr.startswith("undark: data.crop: must be")
    assert done.stderr.count("\n") == 1


def test_a_recipe_is_read_without_any_method() -> None:
    """So a model of somebody else's method can be looked into where the method is missing."""
    plan = parse({"name": "a", "method": "none such", "options": {"depth": [1, 2]}})
    assert parse(plan.to_dict()) == plan
    with pytest.raises(RecipeError, match="unknown method 'none such'"):
        make_method(plan)


@pytest.mark.parametrize("name", names())
def test_shipped_weights_can_be_learned_from(name: str) -> None:
    """By ``--from NAME``: their parameters bear the names that today's networks give them."""
    weights = load_weights(name)
    network = make_method(weights.recipe).network
    load_into(network, weights)
    for key, value in network.state_dict().items():
        assert torch.equal(value, weights.state[key]), key


def test_weights_of_another_network_are_refused() -> None:
    weights = load_weights("curve")
    network = make_method(method_class("unet").default_recipe("unet")).network
    with pytest.raises(RecipeError, match="another network"):
        load_into(network, weights)


class TestMethodsOfOtherPackages:
    SOURCE = """
from undark.train.methods.unet import SupervisedUNet

class Mine(SupervisedUNet):
    kind = "mine"

nothing = 3
"""

    @pytest.fixture
    def installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A package as pip leaves it, with three entry points, one of a name that is taken."""
        (tmp_path / "their_methods.py").write_text(self.SOURCE, encoding="utf-8")
        folder = tmp_path / "their_methods-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Name: their-methods\nVersion: 1.0\n", encoding="utf-8")
        points = (
            "[undark.methods]\nmine = their_methods:Mine\nbroken = their_methods:none\n"
            "nothing = their_methods:nothing\nunet = their_methods:Mine\n"
        )
        (folder / "entry_points.txt").write_text(points, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        yield
        sys.modules.pop("their_methods", None)

    @pytest.mark.usefixtures("installed")
    def test_an_installed_one_is_found_by_its_name(self) -> None:
        assert method_names() == (*METHODS, "broken", "mine", "nothing")
        kind = method_class("mine")
        assert kind.kind == "mine"
        assert isinstance(make_method(kind.default_recipe("mine")).options, NoOptions)
        assert method_class("unet").kind == "supervised"
        with pytest.raises(RecipeError, match="unknown method 'mind'; did you mean 'mine'"):
            method_class("mind")

    @pytest.mark.usefixtures("installed")
    def test_one_that_is_none_is_an_error_of_a_line(self) -> None:
        with pytest.raises(RecipeError, match=r"'broken' .* cannot be used"):
            method_class("broken")
        with pytest.raises(RecipeError, match=r"'nothing' .* no subclass"):
            method_class("nothing")

    def test_nothing_is_imported_because_a_recipe_says_so(self, tmp_path, monkeypatch) -> None:
        (tmp_path / "their_methods.py").write_text(self.SOURCE, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        for name in ("their_methods:Mine", "their_methods", "undark.train.methods.unet"):
            with pytest.raises(RecipeError, match="unknown method"):
                make_method(parse({"name": "a", "method": name}))
        assert "their_methods" not in sys.modules
