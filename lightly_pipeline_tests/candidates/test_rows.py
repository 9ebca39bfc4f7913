"""Rows: names of frames' files, blocks of frames, copies; on plain arrays."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lightly_pipeline.candidates.duplicates import copies, first_equal
from lightly_pipeline.candidates.rows import (
    frame_stem,
    joined,
    rows_by_name,
)
from lightly_pipeline.candidates.sequences import (
    blocks,
    groups_of,
    joined_groups,
    pooled_categories,
    pooled_embeddings,
    pooled_means,
    pooled_sums,
)
from lightly_pipeline.layout import frame_name
from lightly_pipeline_tests.support.rows import all_frames, row_video

paths = st.builds(
    lambda stem, extension: f"{stem}.{extension}",
    st.text(st.sampled_from("ab-01./ %é\n"), min_size=1, max_size=8),
    st.sampled_from(["mp4", "MOV", "hevc"]),
)


@given(
    st.lists(st.tuples(paths, st.integers(1, 120)), min_size=1, max_size=4),
    st.lists(st.text(st.sampled_from("ab-01./ mp4"), max_size=10)),
    st.data(),
)
def test_a_frames_file_is_found_by_the_name_of_its_image(
    videos: Sequence[tuple[str, int]], foreign: list[str], data: st.DataObject
) -> None:
    rows = all_frames(row_video(path, n_frames) for path, n_frames in videos)
    every: dict[str, list[int]] = {}
    for row in range(len(rows)):
        video = rows.videos[rows.owner[row]]
        name = frame_name(video.path, int(rows.index[row]), video.n_frames, "png")
        every.setdefault(name.removesuffix(".png"), []).append(row)
    wanted = data.draw(st.lists(st.sampled_from(sorted(every)), max_size=5))
    found = rows_by_name(rows, [*wanted, *foreign])
    expected = {name: places for name, places in every.items() if name in {*wanted, *foreign}}
    assert {name: sorted(places) for name, places in found.items()} == expected


def test_rows_of_a_part_and_of_two_versions_keep_their_names() -> None:
    rows = all_frames([row_video("a.mp4", 12)]).take(np.array([3, 11]))
    both = joined(rows, all_frames([row_video("a.mp4", 5)]))
    assert len(both) == 7
    assert rows_by_name(both, ["a-03-mp4", "a-04-mp4", "a-3-mp4"]) == {
        "a-03-mp4": [0],
        "a-3-mp4": [5],
    }
    assert frame_stem(row_video("x/a.b.mp4", 200), 12) == "x/a.b-012-mp4"
    assert both.describe(1) == "a.mp4 frame 11"


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=5),
    st.integers(1, 7),
    st.sets(st.integers(0, 149), max_size=4),
)
def test_blocks_do_not_overlap_cross_videos_or_hold_excluded_rows(
    counts: list[int], length: int, excluded: set[int]
) -> None:
    rows = all_frames(row_video(f"{i}.mp4", n) for i, n in enumerate(counts))
    barred = np.array(sorted(row for row in excluded if row < len(rows)), dtype=np.int64)
    groups = blocks(rows, rows.index, length, barred)
    members = groups.rows.reshape(-1, length)
    assert len(np.unique(groups.rows)) == len(groups.rows)
    assert not np.isin(groups.rows, barred).any()
    assert (np.diff(members, axis=1) == 1).all()
    assert (rows.index[members[:, 0]] % length == 0).all()
    assert all(len(set(rows.owner[block])) == 1 for block in members)
    if not len(barred):
        assert len(groups) == sum(n // length for n in counts)


def test_blocks_with_a_frame_that_is_no_row_are_left_out() -> None:
    whole = all_frames([row_video("a.mp4", 8), row_video("b.mp4", 5)])
    rows = whole.take(np.array([0, 1, 3, 4, 5, 6, 7, 9, 10, 11, 12]))
    groups = blocks(rows, rows.index, 2, np.array([], dtype=np.int64))
    found = [[rows.describe(int(row)) for row in groups.members(i)] for i in range(len(groups))]
    assert found == [
        ["a.mp4 frame 0", "a.mp4 frame 1"],
        ["a.mp4 frame 4", "a.mp4 frame 5"],
        ["a.mp4 frame 6", "a.mp4 frame 7"],
        ["b.mp4 frame 2", "b.mp4 frame 3"],
    ]


def test_values_of_groups_are_means_sums_and_the_commonest() -> None:
    groups = joined_groups(groups_of([np.array([4, 0]), np.array([2])]), groups_of([np.arange(3)]))
    values = np.array([1.0, 2, 3, 4, 5])
    assert pooled_means(values, groups).tolist() == [3, 3, 2]
    assert pooled_sums(values[:, None] * [1, 10], groups).tolist() == [[6, 60], [3, 30], [6, 60]]
    names = np.array(["b", None, "b", "c", "a"], dtype=object)
    assert pooled_categories(names, groups).tolist() == ["a", "b", "b"]
    assert groups.sizes.tolist() == [2, 1, 3]


@given(hnp.arrays(np.float32, (6, 3), elements=st.floats(-4, 4, width=32)), st.booleans())
def test_the_vector_of_a_group_is_the_mean_of_unit_vectors_at_unit_length(
    vectors: np.ndarray, normalize: bool
) -> None:
    vectors[:, 0] += 10
    groups = groups_of([np.array([1, 2]), np.array([0, 3, 4, 5])])
    pooled = pooled_embeddings(vectors, groups, normalize=normalize)
    for row, members in zip(pooled, ([1, 2], [0, 3, 4, 5]), strict=True):
        used = vectors[members].astype(float)
        if normalize:
            used /= np.linalg.norm(used, axis=1, keepdims=True)
        mean = used.mean(axis=0)
        assert np.allclose(row, mean / np.linalg.norm(mean) if normalize else mean, atol=1e-6)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.data())
def test_a_copy_is_what_equals_an_earlier_or_preselected_row(
    values: list[int], data: st.DataObject
) -> None:
    known = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    rows = data.draw(st.sets(st.integers(0, len(values) - 1), max_size=3))
    preselected = np.array(sorted(rows), dtype=np.int64)
    found = copies(first_equal(np.array(values), known), preselected)
    for row, value in enumerate(values):
        before = [other for other in range(len(values)) if other < row or other in rows]
        equal = [o for o in before if known[o] and known[row] and values[o] == value and o != row]
        assert found[row] == (bool(equal) and row not in rows)
