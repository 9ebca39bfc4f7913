"""Thumbnails: where they lie, what they show, and when there are any."""

import io
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat

from lightly_pipeline import Dataset, LocalDatasource, run
from lightly_pipeline.api import ApiWorkflowClient, DatasourcePurpose, InvalidConfigurationError
from lightly_pipeline.datasets import load_datasets
from lightly_pipeline.export.thumbnails import Thumbnails
from lightly_pipeline.layout import THUMBNAIL_SUFFIX, frame_path, thumbnail_path
from lightly_pipeline_tests.support.clients import add_dataset

videos = st.text(min_size=1, max_size=300).map(lambda name: f"{name}.mp4")


@given(
    st.lists(
        st.tuples(videos, st.integers(0, 9), st.sampled_from([None, 64, (64, 64)])), unique=True
    )
)
def test_every_image_has_a_thumbnail_of_its_own(frames: list[tuple]) -> None:
    images = {frame_path(video, index, 10, "png", resize) for video, index, resize in frames}
    thumbnails = {thumbnail_path(THUMBNAIL_SUFFIX, image) for image in images}
    assert len(thumbnails) == len(images)
    for path in thumbnails:
        assert path.startswith(".lightly/thumbnails")
        assert all(0 < len(part.encode()) <= 255 for part in path.split("/"))


@pytest.mark.parametrize(
    "suffix",
    [
        "[filename]_thumb.png",
        ".lightly/frames/[filename].png",
        ".lightly/thumbnails/../frames/[filename].png",
        ".lightly/thumbnails/small.png",
        ".lightly/thumbnails//[filename]",
    ],
)
def test_a_suffix_that_leads_elsewhere_is_refused(suffix: str, tmp_path: Path) -> None:
    store = LocalDatasource(tmp_path)
    with pytest.raises(InvalidConfigurationError, match="thumbnail_suffix"):
        Dataset("a", input=store, lightly=store, thumbnail_suffix=suffix)


def test_a_large_image_becomes_small_and_a_small_one_stays(tmp_path: Path) -> None:
    store = LocalDatasource(tmp_path)
    thumbnails = Thumbnails(store, ".lightly/thumbnails/[filename].jpg")
    for name, size, expected in (("a", (1920, 1080), (256, 144)), ("b", (60, 100), (60, 100))):
        buffer = io.BytesIO()
        Image.new("RGB", size, (200, 30, 90)).save(buffer, "PNG")
        thumbnails.add(f".lightly/frames/{name}.png", buffer.getvalue())
        with Image.open(tmp_path / ".lightly" / "thumbnails" / f"{name}.jpg") as image:
            assert (image.format, image.size) == ("JPEG", expected)


@pytest.mark.slow
@pytest.mark.parametrize("image_format", ["png", "jpg"])
def test_a_run_makes_them_of_new_images_and_of_those_that_are_there(
    prepared_folder: Path, tmp_path: Path, image_format: str
) -> None:
    def choose(folder: Path, suffix: str | None) -> Path:
        dataset = Dataset(
            "a",
            input=LocalDatasource(prepared_folder / "in"),
            lightly=LocalDatasource(folder),
            thumbnail_suffix=suffix,
        )
        config = {"output_image_format": image_format}
        result = run(dataset, config, selection_config={"n_samples": 4})
        assert result.n_selected == 4
        return folder / ".lightly"

    shutil.copytree(prepared_folder / "out", tmp_path / "other")
    own = choose(prepared_folder / "out", None)
    assert not (own / "thumbnails").exists()
    choose(prepared_folder / "out", THUMBNAIL_SUFFIX)
    other = choose(tmp_path / "other", THUMBNAIL_SUFFIX)
    made = sorted(path.relative_to(own) for path in (own / "thumbnails").rglob("*.*"))
    assert len(made) == 4
    for path in made:
        assert (own / path).read_bytes() == (other / path).read_bytes()
        name = path.relative_to("thumbnails").as_posix().replace("_thumb", "")
        with Image.open(own / path) as small, Image.open(own / "frames" / name) as image:
            difference = ImageChops.difference(small.convert("RGB"), image.convert("RGB"))
            assert max(ImageStat.Stat(difference).mean) < 3


@pytest.mark.slow
def test_a_script_for_the_original_gets_thumbnails_unless_it_wants_none(
    prepared_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTLY_PIPELINE_HOME", str(tmp_path / "home"))
    client = ApiWorkflowClient()
    add_dataset(client, "thumbnails", prepared_folder / "in", prepared_folder / "out")
    dataset = client._deployment.dataset(client.dataset_id)
    assert dataset.thumbnail_suffix == THUMBNAIL_SUFFIX
    run_id = client.schedule_compute_worker_run(selection_config={"n_samples": 3})
    assert client.wait_for_run(run_id, run_in_process=True).ended_successfully()
    folder = prepared_folder / "out" / ".lightly" / "thumbnails"
    assert len(list(folder.rglob("*_thumb.png"))) == 3
    client.set_local_config(
        str(prepared_folder / "out"), thumbnail_suffix=None, purpose=DatasourcePurpose.LIGHTLY
    )
    assert client._deployment.dataset(client.dataset_id).thumbnail_suffix is None
    client.set_s3_config("s3://bucket/out/", "eu-central-1", purpose=DatasourcePurpose.LIGHTLY)
    assert client._deployment.dataset(client.dataset_id).thumbnail_suffix == THUMBNAIL_SUFFIX
    with pytest.raises(InvalidConfigurationError, match="thumbnail_suffix"):
        client.set_local_config(str(tmp_path), thumbnail_suffix="elsewhere/[filename].png")


def test_a_dataset_file_asks_for_them(tmp_path: Path) -> None:
    fields = {"input": "in", "lightly": "out", "thumbnail_suffix": THUMBNAIL_SUFFIX}
    (tmp_path / "datasets.yaml").write_text(json.dumps({"datasets": {"a": fields}}))
    (dataset,) = load_datasets(tmp_path / "datasets.yaml")
    assert dataset.thumbnail_suffix == THUMBNAIL_SUFFIX
