"""Which videos a file of relevant filenames names, and what is wrong with its lines."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightly_pipeline import LocalDatasource
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.relevant import RelevantVideos, parse_relevant, read_relevant
from lightly_pipeline.tables.catalog import Catalog

LISTED = [
    "a.mp4",
    "b c.mp4",
    "subdir/image_2.mp4",
    "subdir/image_3.mp4",
    "subdir/image_40.mp4",
    "subdir/image_41.mp4",
    "subdir/image_42.mp4",
    "subdir/night/x.mp4",
    "subdirectory/y.mp4",
]


def among(*lines: str, listed: list[str] = LISTED) -> RelevantVideos:
    videos = [StoredObject(path, 1, "etag") for path in listed]
    return parse_relevant(lines, "relevant.txt").among(Catalog(tuple(videos)))


def named(*lines: str) -> list[str]:
    return [video.path for video in among(*lines).videos]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a.mp4", ["a.mp4"]),
        ("b c.mp4", ["b c.mp4"]),
        ("*", LISTED),
        ("subdir*", LISTED[2:]),
        ("subdir/*", LISTED[2:8]),
        ("subdir/image_4*", LISTED[4:7]),
        ("* subdir/", [*LISTED[:2], LISTED[8]]),
        ("* night/ *.MP4", [path for path in LISTED if "night" not in path]),
        ("subdir/* *_4?.mp4 night/", LISTED[2:4]),
        ("subdir/*\tsubdir/image_*", [LISTED[7]]),
        (
            "subdir/* subdir/image_4* !subdir/image_41.mp4 !subdir/image_42.mp4",
            [*LISTED[2:4], *LISTED[5:8]],
        ),
    ],
)
def test_a_line_is_a_path_or_a_prefix_with_patterns_of_what_is_left_out(
    line: str, expected: list[str]
) -> None:
    assert named(line) == expected


def test_what_one_line_leaves_out_another_may_name() -> None:
    assert named("subdir/* subdir/image_4*", "subdir/image_40.mp4") == [*LISTED[2:5], LISTED[7]]
    assert named("subdir/* *_4*", "subdir/* *_2* *_3*") == LISTED[2:8]


def test_blank_lines_and_ends_of_lines_are_nothing() -> None:
    relevant = among("a.mp4 \r\n", "\n", "  \n", "b c.mp4\n")
    assert [video.path for video in relevant.videos] == ["a.mp4", "b c.mp4"]
    assert relevant.n_lines == 2
    assert relevant.warnings == ()


def test_lines_that_cannot_be_used_are_counted_and_shown() -> None:
    relevant = among(
        "a.mp4", "/a.mp4", "./a.mp4", "../in/*", "subdir/*.mp4", "* !", "a.mp4", "gone.mp4", "x/*"
    )
    assert [video.path for video in relevant.videos] == ["a.mp4"]
    assert relevant.counts() == {
        "n_videos": 1,
        "n_listed": 9,
        "n_lines": 9,
        "n_rejected": 5,
        "n_double": 1,
        "n_unmatched": 2,
    }
    rejected, double, unmatched = relevant.warnings
    assert rejected.startswith(
        "5 of 9 lines are rejected: line 2: /a.mp4 (paths are relative to INPUT, without /, ./ or "
        "../ in front); "
    )
    assert "line 5: subdir/*.mp4 (* ends a prefix: patterns follow after a space" in rejected
    assert "line 6: * ! (" in rejected
    assert double == "1 of 9 lines are there twice, and used once: line 7: a.mp4"
    assert unmatched == "2 of 9 lines are of no file in INPUT: gone.mp4; x/*"


def test_of_many_wrong_lines_the_first_are_shown() -> None:
    (warning,) = among("*", *(f"/{number}.mp4" for number in range(100))).warnings
    assert warning.startswith("100 of 101 lines are rejected: line 2: /0.mp4")
    assert warning.count("line ") == 5
    assert warning.endswith("; ...")


names = st.text("ab/.", min_size=1, max_size=6)


@given(st.lists(names, unique=True), st.lists(st.tuples(names, st.booleans()), max_size=6))
def test_paths_and_prefixes_name_what_a_plain_search_finds(
    listed: list[str], lines: list[tuple[str, bool]]
) -> None:
    usable = [
        (text, is_prefix) for text, is_prefix in lines if not text.startswith(("/", "./", "../"))
    ]
    expected = [
        path
        for path in listed
        if any(path.startswith(text) if is_prefix else path == text for text, is_prefix in usable)
    ]
    found = among(*(text + "*" * is_prefix for text, is_prefix in lines), listed=listed)
    assert [video.path for video in found.videos] == expected


def test_a_file_may_have_a_mark_at_its_beginning_and_names_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / ".lightly").mkdir()
    file = tmp_path / ".lightly" / "relevant.txt"
    file.write_bytes(b"\xef\xbb\xbfa.mp4\r\n\xff.mp4\n" + "größe.mp4".encode())
    store = LocalDatasource(tmp_path)
    relevant = read_relevant(store, ".lightly/relevant.txt")
    assert relevant.paths == {"a.mp4", "\udcff.mp4", "größe.mp4"}
    file.write_bytes("a.mp4".encode("utf-16"))
    with pytest.raises(LightlyPipelineError, match=r"relevant\.txt is no text in UTF-8"):
        read_relevant(store, ".lightly/relevant.txt")
    with pytest.raises(LightlyPipelineError, match=r"relevant_filenames_file needs .*not exist"):
        read_relevant(store, ".lightly/other.txt")
