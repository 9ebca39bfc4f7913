"""The step before decoding, where a run trains: a model of the dataset's own frames.

The model that counts is reused where options and videos are those that it was trained with. With a
datapool it is kept whatever the videos: embeddings of frames that were chosen before have to stay
comparable. What a model is trained with, and how, is in `lightly_pipeline.training`.
"""

import hashlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lightly_pipeline.datasources import StoredObject
from lightly_pipeline.extras import package
from lightly_pipeline.logs import fields, logger_of
from lightly_pipeline.runs.datapool import read_datapool
from lightly_pipeline.steps.processing import map_videos, of_current, work_order
from lightly_pipeline.steps.refusals import Refusals
from lightly_pipeline.steps.setup import Run
from lightly_pipeline.steps.wanted import wanted_videos
from lightly_pipeline.steps.weights import frame_sampling
from lightly_pipeline.tables.catalog import Catalog
from lightly_pipeline.threads import Spare, StoppedError
from lightly_pipeline.training import models
from lightly_pipeline.training.models import TrainedModel
from lightly_pipeline.training.sample import FrameSample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lightly_pipeline.training.loop import Epoch, Training

_logger = logger_of(__name__)


def train_model(run: Run, catalog: Catalog) -> TrainedModel | None:
    """Trains the model of a run, or finds the one that counts; None where the run does not train.

    Args:
        run: The run; its configuration says what is trained, its progress hears of it.
        catalog: The videos that were listed.

    Raises:
        LightlyPipelineError: There are too few frames, or the loss left all bounds.
        DatasourceError: A store failed; run again to go on with the next epoch.
    """
    if not run.config.worker.enable_training:
        return None
    videos = wanted_videos(run, catalog).videos
    store, training_id = run.dataset.lightly, run.training.training_id
    known = models.read_model(store, training_id)
    if known is not None and _still_counts(run, known, videos):
        models.note_use(store, known, run.run_id)
        return known
    _require_extra()
    began = time.monotonic()
    images, taken = _read_frames(run, videos)
    videos_id = models.videos_id(taken)
    if known is not None and known.videos_id == videos_id and _is_there(run, known):
        # A store refuses the same videos as when it was trained.
        models.note_use(store, known, run.run_id)
        return known
    training = _trained(run, images, videos_id)
    content = training.checkpoint()
    model = TrainedModel(
        name=run.training.options.name,
        checkpoint=models.checkpoint_path(run.run_id),
        sha256=hashlib.sha256(content).hexdigest(),
        training_id=training_id,
        videos_id=videos_id,
        n_videos=len(taken),
        n_frames=len(images),
        losses=tuple(training.losses),
        seconds=round(time.monotonic() - began, 3),
        run_id=run.run_id,
    )
    models.keep_model(store, model, content)
    _logger.info(
        "trained a %s on %d frames of %d videos: the loss fell from %.4f to %.4f in %d epochs",
        model.name,
        model.n_frames,
        model.n_videos,
        model.losses[0],
        model.losses[-1],
        model.epochs,
    )
    return model


def check_training(run: Run) -> None:
    """Tries what training needs before any work.

    Raises:
        MissingExtraError: There is no model yet, and the package that trains one is not installed.
        LightlyPipelineError: The weights that it starts from are missing.
    """
    if models.read_model(run.dataset.lightly, run.training.training_id) is None:
        _require_extra()


def _require_extra() -> None:
    """Who only embeds with a model that others have trained does not need it."""
    package("lightly", "training")


def _still_counts(run: Run, known: TrainedModel, videos: Sequence[StoredObject]) -> bool:
    if not _is_there(run, known):
        return False
    if known.videos_id == models.videos_id(videos):
        _logger.info("run %s has trained the model on the same videos: it is used", known.run_id)
        return True
    pool = run.config.worker.use_datapool and read_datapool(run.dataset.lightly).n_frames > 0
    if pool:
        _logger.info(
            "the datapool was chosen with the model that run %s has trained: it is used, for "
            "embeddings have to stay comparable",
            known.run_id,
        )
    return pool


def _is_there(run: Run, known: TrainedModel) -> bool:
    store = run.dataset.lightly
    if store.stat(known.checkpoint) is not None:
        return True
    _logger.warning("%s is gone: the model is trained anew", store.location(known.checkpoint))
    return False


def _read_frames(
    run: Run, videos: Sequence[StoredObject]
) -> tuple["NDArray[np.uint8]", list[StoredObject]]:
    """Returns the small images of frames, and the videos that were read for them."""
    from lightly_pipeline.training.reading import FrameReader

    options, pipeline = run.training.options, run.config.pipeline
    sample = FrameSample(options.seed, options.kept_size)
    reader = FrameReader(
        run.dataset.input,
        run.dataset.lightly,
        sample,
        options.kept_size,
        frame_sampling(run.config),
        pipeline.untagged_matrix,
        pipeline.video_stream,
        pipeline.takes_damaged,
    )
    unit = "images" if run.dataset.of_images else "frames"
    meter = run.progress.begin("read_frames", unit, sizes=[video.size_bytes for video in videos])
    refused = Refusals(run)

    def work(video: StoredObject, spare: Spare) -> StoredObject | None:
        del spare
        with refused.noting(video), meter.item(video.path, video.size_bytes) as item:
            read = of_current(run, video, lambda current: reader.read(current, item))
            if read is None:
                refused.leave_out(video, "removed since it was listed")
                return None
            current, reason = read
            if reason is not None:
                facts = fields(video=video.path, outcome="corrupt", reason=reason)
                _logger.warning("%s: not trained on: %s", video.path, reason, extra=facts)
            return current
        return None

    done = map_videos(
        work, work_order(videos), run.n_threads, on_interrupt=lambda: meter.stop(StoppedError())
    )
    taken = [video for video in done if video is not None]
    refused.check(may_go_on=pipeline.allow_incomplete)
    meter.end()
    n_offered = sample.n_offered
    images = sample.take()
    _logger.info("%d frames to train on, of %d in %d videos", len(images), n_offered, len(taken))
    return images, taken


def _trained(run: Run, images: "NDArray[np.uint8]", videos_id: str) -> "Training":
    """Trains, or goes on where an earlier run was ended; keeps the state after each epoch."""
    from lightly_pipeline.training.loop import Training

    store, training_id = run.dataset.lightly, run.training.training_id
    options = run.training.options
    training = Training(images, options)
    state = models.read_state(store, training_id, videos_id)
    if state is not None:
        training.go_on(state)
        _logger.info("going on after epoch %d of %d", len(training.losses), options.epochs)
    step = run.progress.begin("train", "frames", total=training.n_left * len(images))
    while training.n_left > 0:
        epoch = training.run_epoch(step.add)
        _tell(epoch, options.epochs)
        models.keep_state(store, training_id, videos_id, training.state())
    step.end()
    return training


def _tell(epoch: "Epoch", n_epochs: int) -> None:
    rate = epoch.n_frames / epoch.seconds if epoch.seconds else 0.0
    _logger.info(
        "epoch %d of %d: loss %.4f, %.1f frames/s, about %d s left",
        epoch.number,
        n_epochs,
        epoch.loss,
        rate,
        round(epoch.seconds * (n_epochs - epoch.number)),
        extra=fields(epoch=epoch.number, loss=round(epoch.loss, 6), frames_per_s=round(rate, 1)),
    )
