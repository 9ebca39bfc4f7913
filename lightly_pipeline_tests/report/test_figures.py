"""What the pictures of a report show."""

from dataclasses import replace

import numpy as np

from lightly_pipeline.report import numbers
from lightly_pipeline.report.figures import balance, coverage, distances, histogram
from lightly_pipeline.report.figures.embedding_map import MAX_POINTS, map_picture
from lightly_pipeline.report.figures.timeline import timeline_picture
from lightly_pipeline_tests.support.reports import made_report


def curve(name: str, largest: list[float], n: list[int] | None = None) -> numbers.CoverageCurve:
    distance = np.array(largest, np.float64)
    places = np.array(n or range(1, len(largest) + 1), np.int64)
    return numbers.CoverageCurve(name, places, distance / 2, distance)


def test_the_gain_over_another_choice_is_said_as_frames() -> None:
    own, random = curve("this choice", [9, 5, 3, 2, 2]), curve("random", [9, 8, 6, 5, 4])
    assert coverage.takeaways([own, random]) == (
        "3 frames of this choice cover as well as 5 taken at random (largest distance 4).",
        "Half of the candidates lie within 1 of a choice; at random 2.",
        "The last 1 of 5 frames lowered the largest distance by 0%.",
    )


def test_a_choice_that_covers_worse_is_called_so() -> None:
    own, random = curve("this choice", [9, 8]), curve("random", [9, 5])
    (first, *_) = coverage.takeaways([own, random])
    assert first == "2 taken at random cover better: the largest distance is 5, of this choice 8."


def test_without_a_curve_nothing_is_claimed() -> None:
    assert coverage.takeaways([]) == ()
    assert coverage.takeaways([curve("random", [3, 2])]) == ()
    unknown = curve("this choice", [np.inf, np.nan, 2])
    assert coverage.largest_chart([unknown]).lines[0].x == [3]


def test_a_sample_that_was_measured_is_said() -> None:
    own = replace(curve("this choice", [3, 2]), n_measured=50_000)
    assert "Measured on 50,000 candidates, evenly spaced." in coverage.takeaways([own])


def test_shares_make_a_few_comparable_with_many() -> None:
    edges = np.array([0.0, 1.0, 2.0])
    many, few = np.array([750_000, 250_000]), np.array([1, 3])
    made = numbers.Histogram("sharpness", edges, (), many, few, ("BIGGER", 1.0), 12)
    chart = histogram.histogram_chart(made)
    assert [bars.heights for bars in chart.bars] == [[75, 25], [25, 75]]
    assert chart.rules[0].label == "kept > 1: 12 frames removed"


def test_an_empty_group_has_no_shares() -> None:
    none = np.zeros(2, np.int64)
    chart = histogram.histogram_chart(numbers.Histogram("w", None, ("a", "b"), none, none))
    assert [bars.heights for bars in chart.bars] == [[0, 0], [0, 0]]


def test_classes_that_nobody_asked_for_are_shown() -> None:
    made = numbers.Balance("BALANCE", {"a": 1.0}, {"a": 0.5, "b": 0.5}, {"c": 1.0})
    chart = balance.balance_chart(made)
    assert chart.labels == ("a", "b", "c")
    assert [bars.heights for bars in chart.bars] == [[100, 0, 0], [50, 50, 0], [0, 0, 100]]


def test_distances_are_told_with_their_figures() -> None:
    made = numbers.Distances(
        "to the nearest", np.array([0.0, 1.0]), np.array([4]), {"mean": 0.25}, n_measured=4
    )
    chart = distances.distances_chart(made)
    assert chart.description == "Distance to the nearest: mean 0.25; of 4 frames, evenly spaced."


def test_a_map_of_a_million_points_draws_a_sample_and_the_density_of_all() -> None:
    n = 1_000_000
    points = np.zeros((n, 2), np.float32)
    made = numbers.EmbeddingMap(
        "PCA",
        (0.5, 0.2),
        np.array([[0, 1], [n - 1, 0]]),
        (0, 1, 0, 1),
        points,
        np.zeros(n, np.int32),
        np.zeros(n),
        np.zeros(n, np.int64),
        points[:3],
    )
    picture = map_picture(made)
    assert len(picture.sample) == MAX_POINTS
    assert (picture.sample[0], picture.sample[-1]) == (0, n - 1)
    assert picture.shade.tolist()[1][0] == 255
    assert 0 < picture.shade.tolist()[0][1] < 50
    assert picture.x_label == "component 1 (50% of the variance)"


def test_a_timeline_begins_with_its_first_frame_and_joins_what_cannot_be_told_apart() -> None:
    report = made_report()
    frame = replace(report.chosen[0], time_s=15.0)
    every_other = tuple((10 + 0.002 * i, 10.001 + 0.002 * i) for i in range(2500))
    timeline = numbers.Timeline("a.mp4", 900, 20.0, (0, 99), ((12.0, 13.0),), 7, every_other, 10.0)
    picture = timeline_picture(timeline, {0: frame})
    assert picture.chosen == [(0, 0.5)]
    assert picture.damaged == [(0.2, 0.3)]
    assert picture.left_out == [(0.0, 0.4999)]
    assert picture.description == (
        "1 chosen of 900 frames, 10% of the time damaged, 50% left out, 7 frames not sampled"
    )


def test_a_video_of_one_frame_has_a_timeline() -> None:
    frame = made_report().chosen[0]
    timeline = numbers.Timeline("a.mp4", 1, 0.0, (0,), ((0.0, 0.0),), 0, ())
    assert timeline_picture(timeline, {0: frame}).chosen == [(0, 0.0)]
