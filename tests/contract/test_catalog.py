"""Every model of the catalog keeps the contract."""

from pathlib import Path

import pytest

from undark.models import Model, cards, names, resolve
from undark.testing import ModelContract

RECIPES = Path(__file__).parents[2] / "recipes"


class TestCatalog(ModelContract):
    @pytest.fixture(scope="class", params=names())
    @classmethod
    def model(cls, request: pytest.FixtureRequest) -> Model:
        return resolve(request.param)

    def test_its_name_is_the_cards(self, model: Model):
        assert resolve(model.card.name) == model

    def test_its_recipe_is_there(self, model: Model):
        assert (RECIPES / model.card.recipe).is_file()


def test_the_cards_are_those_of_the_names():
    assert tuple(card.name for card in cards()) == names()


def test_the_default_is_a_model_of_the_catalog():
    assert resolve("default").card.name in names()
