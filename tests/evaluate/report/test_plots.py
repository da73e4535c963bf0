from __future__ import annotations

from xml.etree import ElementTree

from undark.evaluate.report.plots import Point, Ridge, ridges, scatter


def test_plots_leave_out_what_is_not_finite() -> None:
    nan, inf = float("nan"), float("inf")
    points = [
        Point("a & b", 0.1, 20, 19, 21, True),
        Point("exact", 0.1, inf, nan, nan, True),
        Point("at once", 0.0, 20, nan, nan, False),
    ]
    plot = scatter(points, x_label="s", y_label="dB")
    assert plot.count("<circle") == 1
    assert ElementTree.fromstring(plot) is not None
    assert scatter(points[1:], x_label="s", y_label="dB") == ""
    rows = ridges([Ridge("none", [0, 0, 0], nan)], ticks=[(0, "0")], label="nothing")
    assert "nan" not in rows
