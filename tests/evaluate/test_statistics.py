from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from undark.errors import MissingExtraError
from undark.evaluate.statistics import difference, interval

numbers = st.lists(st.floats(-100, 100), min_size=2, max_size=30)


def alone(count: int) -> list[str]:
    """A scene of its own for each picture."""
    return [str(index) for index in range(count)]


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        low, high = interval(random.normal(20, 3, 40).tolist(), alone(40))
        held += low <= 20 <= high
    assert 0.89 <= held / 200 <= 0.99


@settings(deadline=None, max_examples=50)
@given(numbers)
def test_an_interval_lies_within_the_values_and_about_the_mean(values: list[float]) -> None:
    low, high = interval(values, alone(len(values)))
    assert min(values) - 1e-6 <= low <= high <= max(values) + 1e-6
    assert low - 1e-6 <= float(np.mean(values)) <= high + 1e-6 or len(values) < 10


def test_many_pictures_of_few_scenes_are_few() -> None:
    random = np.random.default_rng(0)
    means = random.normal(20, 3, 6)
    values = np.repeat(means, 10) + random.normal(0, 0.1, 60)
    scenes = [f"scene {index // 10}" for index in range(60)]
    low, high = interval(values.tolist(), scenes)
    naive_low, naive_high = interval(values.tolist(), alone(60))
    assert high - low > 2 * (naive_high - naive_low)


def test_scenes_of_unequal_size_give_the_mean_over_pictures() -> None:
    found = difference([1.0, 1.0, 1.0, 5.0], [0.0] * 4, ["a", "a", "a", "b"])
    assert found.mean == 2
    assert found.scenes == 2


@pytest.mark.parametrize("values", [[3.0], [1.0, math.inf, 2.0], [math.nan, 4.0]])
def test_there_is_no_interval_where_there_is_nothing_to_draw(values: list[float]) -> None:
    assert all(math.isnan(end) for end in interval(values, alone(len(values))))


def test_the_paired_test_is_scipys_over_scenes() -> None:
    random = np.random.default_rng(2)
    ours, theirs = random.normal(21, 3, 12), random.normal(20, 3, 12)
    found = difference(ours.tolist(), theirs.tolist(), alone(12))
    assert found.p == pytest.approx(wilcoxon(ours, theirs).pvalue)
    assert found.mean == pytest.approx(ours.mean() - theirs.mean())
    assert found.low < found.mean < found.high
    back = difference(theirs.tolist(), ours.tolist(), alone(12))
    assert back.mean == pytest.approx(-found.mean)
    assert back.p == pytest.approx(found.p)


def test_pairing_finds_what_the_intervals_of_the_means_hide() -> None:
    random = np.random.default_rng(3)
    theirs = random.normal(20, 5, 15)
    ours = theirs + random.normal(0.5, 0.2, 15)
    found = difference(ours.tolist(), theirs.tolist(), alone(15))
    assert found.low > 0
    assert found.p < 0.01
    assert interval(ours.tolist(), alone(15))[0] < theirs.mean()


def test_five_scenes_never_reach_five_in_a_hundred() -> None:
    found = difference([1.0, 2.0, 3.0, 4.0, 5.0], [0.0] * 5, alone(5))
    assert found.p == pytest.approx(2**-4)


def test_equal_pictures_do_not_differ_even_where_the_score_is_infinite() -> None:
    found = difference([math.inf, 20.0, 21.0], [math.inf, 20.0, 21.0], alone(3))
    assert (found.mean, found.low, found.high) == (0, 0, 0)
    assert math.isnan(found.p)
    assert math.isinf(difference([math.inf, 1.0], [1.0, 1.0], alone(2)).mean)


def test_what_is_not_defined_is_left_out() -> None:
    found = difference([math.nan, 2.0, 3.0], [1.0, 1.0, 1.0], alone(3))
    assert found.mean == 1.5
    assert found.scenes == 2


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingExtraError, match=r"undark\[evaluate\]"):
        difference([1.0], [2.0], ["a"])
