"""From names and paths to cards and checked weights."""

from pathlib import Path

import pytest

from undark.errors import ModelError
from undark.models import DEFAULT, Card, Scaling, names, resolve


def test_a_path_gives_the_card_beside_it_and_checked_bytes(make_model):
    path = make_model(tile=64, overlap=16)
    for spelled in (path, str(path)):
        model = resolve(spelled)
        assert model.path == path
        assert model.card.name == "bright"
        assert model.card.scaling == Scaling(multiple=8, tile=64, overlap=16)
        assert model.read() == path.read_bytes()


def test_altered_weights_are_refused(make_model):
    path = make_model()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"bright\.onnx: the weights are not those of their card"):
        resolve(path).read()


def test_vanished_weights_are_named(make_model):
    path = make_model()
    model = resolve(path)
    path.unlink()
    with pytest.raises(ModelError, match=r"bright\.onnx: cannot read the model"):
        model.read()


def test_a_near_name_is_suggested():
    with pytest.raises(ModelError, match="did you mean 'unet'"):
        resolve("Unnet")
    with pytest.raises(ModelError, match="known: relight"):
        resolve("zzzzzzzz")


def test_missing_files_are_named(tmp_path: Path):
    with pytest.raises(ModelError, match=r"none\.onnx: no such model file"):
        resolve(tmp_path / "none.onnx")
    (tmp_path / "alone.onnx").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"its card alone\.json is not beside it"):
        resolve(str(tmp_path / "alone.onnx"))
    with pytest.raises(ModelError, match=r"a model is an \.onnx file"):
        resolve(tmp_path / "model.pt")


def test_the_default_is_the_first_of_the_catalog():
    assert names()[0] == DEFAULT
    assert len(set(names())) == len(names())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "is not JSON"),
        ("[]", "expected an object"),
        ("{}", "expected schema 1"),
        ('{"schema": 1, "colour": "red"}', "unknown key 'colour'"),
        ('{"schema": 1, "name": "x"}', "not a model's card"),
    ],
)
def test_a_wrong_card_is_refused_in_one_line(tmp_path: Path, text, told):
    path = tmp_path / "card.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=told) as caught:
        Card.load(path)
    assert "card.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_card_survives_writing_and_reading(make_model, tmp_path: Path):
    card = resolve(make_model()).card
    path = tmp_path / "card.json"
    path.write_text(card.dump(), encoding="utf-8")
    assert Card.load(path) == card
