"""Images are dealt to shards that never change, whatever is added, removed or replaced."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightly_pipeline import LocalDatasource
from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.tables.catalog import Catalog, read_catalog, write_catalog
from lightly_pipeline.tables.shards import MOST_IMAGES, ImageShard, deal, write_shards


def images(numbers: range | list[int], version: str = "1") -> list[StoredObject]:
    return [StoredObject(f"day/{number:07d}.png", 10, version) for number in sorted(numbers)]


def taking_part(shards: list[ImageShard]) -> list[StoredObject]:
    return sorted(Catalog(tuple(shards)).files, key=lambda image: image.path)


@pytest.mark.parametrize(
    ("n", "n_shards"), [(1, 1), (50, 1), (51, 2), (3200, 64), (64_000, 64), (1_000_000, 1000)]
)
def test_shards_are_few_and_about_equal(n: int, n_shards: int) -> None:
    shards = deal([], images(range(n)))
    sizes = [len(shard.images) for shard in shards]
    assert len(shards) == n_shards
    assert max(sizes) <= MOST_IMAGES
    assert max(sizes) - min(sizes) <= 1
    assert [image for shard in shards for image in shard.images] == images(range(n))


def test_what_is_added_goes_into_new_shards() -> None:
    before = deal([], images(range(1000)))
    after = deal(before, images(range(1500)))
    assert [shard.path for shard in after[: len(before)]] == [shard.path for shard in before]
    added = [image for shard in after[len(before) :] for image in shard.images]
    assert added == images(range(1000, 1500))


def test_what_is_removed_or_replaced_is_left_out_and_dealt_anew() -> None:
    before = deal([], images(range(200)))
    now = [*images(range(10, 200)), StoredObject("day/0000003.png", 11, "2")]
    after = deal(before, sorted(now, key=lambda image: image.path))
    assert after[0].path == before[0].path
    assert after[0].left_out == frozenset(range(10))
    assert [image.etag for image in after[-1].images] == ["2"]
    assert len(after) == len(before) + 1


def test_an_image_that_comes_back_is_dealt_anew() -> None:
    """Its shard may have been embedded while it was gone."""
    first = deal([], images(range(100)))
    without = deal(first, images(range(1, 100)))
    back = deal(without, images(range(100)))
    assert back[0].left_out == {0}
    assert [image.path for image in back[-1].images] == ["day/0000000.png"]


def test_a_shard_that_is_mostly_gone_is_given_up() -> None:
    before = deal([], images(range(100)))
    after = deal(before, images(range(80, 100)))
    assert len(after) == 1
    assert after[0].images == tuple(images(range(80, 100)))


def test_many_small_shards_become_one() -> None:
    shards: list[ImageShard] = []
    for n in range(1, 80):
        shards = deal(shards, images(range(n)))
    assert len(shards) < 64
    assert taking_part(shards) == images(range(79))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=8), st.integers())
def test_every_listed_image_is_in_one_shard_once(steps: list[tuple[int, int]], seed: int) -> None:
    there: dict[int, StoredObject] = {}
    shards: list[ImageShard] = []
    chance = random.Random(seed)
    for version, (n_added, n_removed) in enumerate(steps):
        for number in chance.sample(range(500), n_added):
            there[number] = StoredObject(f"{number:03d}.png", 5, str(version))
        for number in chance.sample(sorted(there), min(n_removed, len(there))):
            del there[number]
        listed = [there[number] for number in sorted(there)]
        again, shards = shards, deal(shards, listed)
        assert taking_part(shards) == listed
        assert [s.path for s in deal(again, listed)] == [s.path for s in shards]
        assert len({shard.path for shard in shards}) == len(shards)


def test_the_catalogue_gives_shards_back(tmp_path) -> None:
    store = LocalDatasource(tmp_path)
    shards = deal([], images(range(300)))
    shards = deal(shards, images(range(5, 310)))
    write_shards(store, shards)
    write_catalog(store, Catalog(tuple(shards)))
    read = read_catalog(store)
    assert read is not None
    assert read.videos == tuple(shards)
    assert read.hash == Catalog(tuple(shards)).hash
    assert list(read.files) == list(Catalog(tuple(shards)).files)
    assert read.n_files == 305
    some = read.among(lambda image: image.path < "day/0000060")
    assert some.n_files == 55
    assert some.hash != read.hash
