import re
import xml.etree.ElementTree as ElementTree

import pytest

from udeansr.report.charts import HEIGHT, WIDTH, line_chart, strip_chart


def test_a_chart_is_xml_with_a_line_for_each_name_within_its_frame():
    curves = {"LR": [(0.0, 1.0), (1.0, -3.0)], "SR & co": [(0.0, 2.0), (2.0, 5.0), (3.0, float("nan"))]}
    svg = ElementTree.fromstring(line_chart("a < b", curves, "x", "y", {"here": 1.0}))
    lines = [element for element in svg.iter() if element.tag == "polyline"]
    assert len(lines) == 2 and len({line.get("class") for line in lines}) == 2
    places = [tuple(map(float, point.split(","))) for line in lines for point in line.get("points").split()]
    assert len(places) == 4
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    words = [element.text for element in svg.iter("text")]
    assert {"LR", "SR & co", "here", "x", "y"} <= set(words)
    assert svg.get("aria-label") == "a < b"


def test_a_larger_value_lies_higher_also_by_its_logarithm():
    for log_y in (False, True):
        svg = ElementTree.fromstring(line_chart("a", {"a": [(0, 1), (1, 10), (2, 100)]}, "x", "y", log_y=log_y))
        (line,) = svg.iter("polyline")
        heights = [float(point.split(",")[1]) for point in line.get("points").split()]
        assert heights == sorted(heights, reverse=True)
        if log_y:
            assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.2)


def test_what_is_no_number_or_beyond_all_is_not_drawn():
    points = [(0, 1.0), (1, float("inf")), (2, 10**400), (3, 1e305), (4, float("nan")), (5, 2.0)]
    svg = ElementTree.fromstring(line_chart("a", {"a": points}, "x", "y"))
    assert len(next(svg.iter("polyline")).get("points").split()) == 2


def test_a_small_difference_looks_small_from_zero():
    def height(**options) -> float:
        svg = ElementTree.fromstring(line_chart("a", {"a": [(0, 1.0), (1, 0.99)]}, "x", "y", **options))
        (line,) = svg.iter("polyline")
        first, last = (float(point.split(",")[1]) for point in line.get("points").split())
        return last - first

    assert 0 < height(from_zero=True) < 0.02 * height()


def test_nothing_to_draw_is_said():
    assert "nothing to draw" in line_chart("a", {"b": [(0, float("nan"))]}, "x", "y")
    assert "no case" in strip_chart("a", {"b": float("inf")}, "")


def test_each_case_is_a_dot_with_its_name_and_the_median_is_told():
    text = strip_chart("PSNR", {"a": 30.0, "b": 31.0, "c": 35.0, "d": float("nan")}, "dB")
    svg = ElementTree.fromstring(text)
    assert len(list(svg.iter("circle"))) == 3
    assert "median 31 dB, 3 cases" in text
    assert re.search(r"<title>a: 30</title>", text)


def test_equal_values_have_a_chart_too():
    ElementTree.fromstring(strip_chart("gain", {"a": 1.0, "b": 1.0}, ""))
    ElementTree.fromstring(line_chart("a", {"a": [(1.0, 2.0)]}, "x", "y"))
