"""Videos stay in their batches whatever comes, goes or is replaced; documents mend themselves."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightly_pipeline.datasources import LocalDatasource, StoredObject
from lightly_pipeline.tables.batches import (
    BATCHES_FOLDER,
    VideoBatch,
    batch_path,
    deal_videos,
    read_batch,
    read_batches,
    write_batches,
)


def videos(*names: str) -> list[StoredObject]:
    """Videos of these names; `a2` is the second version of `a`."""
    return [StoredObject(f"{name[0]}.mp4", 10, name) for name in sorted(names)]


def held(batches: list[VideoBatch]) -> list[str]:
    """What every batch holds, a letter a video."""
    return ["".join(video.path[0] for video in batch.videos) for batch in batches]


def test_new_videos_fill_the_last_batch_and_others_stay_where_they_are() -> None:
    first = deal_videos([], videos("b", "d", "f", "h", "j"), 2)
    assert held(first.batches) == ["bd", "fh", "j"]
    assert [batch.name for batch in first.batches] == [
        "batch-000001",
        "batch-000002",
        "batch-000003",
    ]
    assert first.n_changed == 5
    second = deal_videos(first.batches, videos("a", "b", "c", "d", "f", "h", "j"), 2)
    assert held(second.batches) == ["bd", "fh", "ja", "c"]
    assert second.n_changed == 2
    same = [a == b for a, b in zip(first.batches, second.batches, strict=False)]
    assert same == [True, True, False]


def test_a_version_changes_with_what_there_is_to_do() -> None:
    before = deal_videos([], videos("a", "b", "c", "d"), 2).batches
    replaced = deal_videos(before, videos("a", "b2", "c", "d"), 2)
    assert replaced.n_changed == 1
    assert held(replaced.batches) == ["ab", "cd"]
    assert replaced.batches[0].version != before[0].version
    assert replaced.batches[1] == before[1]
    removed = deal_videos(before, videos("a", "c", "d"), 2)
    assert removed.n_changed == 0
    assert held(removed.batches) == ["a", "cd"]
    assert removed.batches[0].version == before[0].version
    # It comes back to where there is room; its table may be gone by now, so somebody has to look.
    back = deal_videos(removed.batches, videos("a", "b", "c", "d"), 2)
    assert held(back.batches) == ["a", "cd", "b"]
    emptied = deal_videos(before, videos("c", "d"), 2)
    again = deal_videos(emptied.batches, videos("a", "b", "c", "d"), 2)
    assert held(again.batches) == ["ab", "cd"]
    assert again.batches[0].version != before[0].version


def test_what_is_removed_over_the_years_leaves_no_row_of_empty_batches() -> None:
    batches: list[VideoBatch] = []
    for day in range(40):
        listed = [StoredObject(f"{d:02}/{i}.mp4", 1, "") for d in range(day, day + 3) for i in "xy"]
        batches = deal_videos(batches, listed, 2).batches
    assert len(batches) <= 4


def test_another_size_is_that_of_new_batches() -> None:
    before = deal_videos([], videos("a", "b", "c", "d"), 3).batches
    assert held(before) == ["abc", "d"]
    after = deal_videos(before, videos("a", "b", "c", "d", "e", "f"), 1)
    assert held(after.batches) == ["abc", "d", "e", "f"]


def test_a_video_that_two_listings_at_once_put_into_two_batches_is_in_the_first() -> None:
    a, b = videos("a", "b")
    twice = [VideoBatch("batch-000001", "1", (a,)), VideoBatch("batch-000002", "2", (a, b))]
    assert held(deal_videos(twice, [a, b], 2).batches) == ["a", "b"]


@given(
    st.lists(st.sets(st.sampled_from([f"{c}{v}" for c in "abcdefgh" for v in "12"])), max_size=6),
    st.integers(1, 4),
)
def test_every_video_is_in_one_batch_in_its_listed_version(
    listings: list[set[str]], size: int
) -> None:
    batches: list[VideoBatch] = []
    for names in listings:
        # One version of a letter at a time.
        listed = list({video.path: video for video in videos(*names)}.values())
        before = {video: batch.name for batch in batches for video in batch.videos}
        batches = deal_videos(batches, listed, size).batches
        members = [video for batch in batches for video in batch.videos]
        assert sorted(members, key=lambda video: video.path) == listed
        assert all(len(batch.videos) <= size for batch in batches)
        after = {video: batch.name for batch in batches for video in batch.videos}
        assert all(after[video] == name for video, name in before.items() if video in after)
        assert deal_videos(batches, listed, size).batches == batches


def test_batches_come_back_as_they_were_stored(tmp_path: Path) -> None:
    store = LocalDatasource(tmp_path)
    odd = [StoredObject("caf\udce9 \U0001f3a5.mp4", 3, "e", 1.5), *videos("b", "c")]
    batches = deal_videos([], odd, 2).batches
    write_batches(store, batches)
    (tmp_path / BATCHES_FOLDER / "notes.json").write_text("of somebody else")
    assert read_batches(store) == batches
    assert read_batch(store, "batch-000001").videos[0].modified_s == 1.5
    assert read_batch(store, "batch-000077") == VideoBatch("batch-000077", "", ())


@pytest.mark.parametrize("content", ["", "[]", '{"version": "1", "videos": [["a"]]}'])
def test_an_unreadable_batch_is_dealt_anew(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    store, listed = LocalDatasource(tmp_path), videos("a", "b", "c", "d")
    before = deal_videos([], listed, 2).batches
    write_batches(store, before)
    (tmp_path / batch_path("batch-000001")).write_text(content)
    after = deal_videos(read_batches(store), listed, 2).batches
    assert held(after) == ["ab", "cd"]
    assert after[1] == before[1]
    assert "dealt to batches anew" in caplog.text
