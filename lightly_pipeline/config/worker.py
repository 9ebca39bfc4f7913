"""`worker_config`: how a run reads, processes and writes.

The fields of Lightly's current schema (V4), and `resize`, which the documentation page names.
Which of them have an effect here is listed in `support.py`.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from lightly_pipeline.config.base import StrictModel

ImageFormat = Literal["png", "jpg", "jpeg", "webp", "bmp", "tiff"]
TaskName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_+=,.@:\/-]*$")]
# Lightly's are 24 hexadecimal digits; those of runs from Python and Dagster are UUIDs.
RunId = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
AtLeastMinusOne = Annotated[int, Field(ge=-1)]


def _image_format(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return {"tif": "tiff"}.get(value.lower(), value.lower())


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


def _parse_resize(value: Any) -> Any:
    """Turns -1, x or [height, width] into None, x or (height, width)."""
    if value is None or (value == -1 and isinstance(value, int)):
        return None
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in numbers):
        raise ValueError("use -1 (keep), x (shorter edge) or [height, width], whole numbers >= 1")
    if isinstance(value, list | tuple):
        if len(numbers) != 2:
            raise ValueError("use -1 (keep), x (shorter edge) or [height, width]")
        return (numbers[0], numbers[1])
    return value


def _vectors_file(path: str) -> str:
    if path.startswith(".lightly/"):
        _below_lightly(path)
    if path and not path.lower().endswith((".csv", ".parquet", ".npy")):
        raise ValueError("name a file that ends in .csv, .parquet or .npy")
    return path


def _below_lightly(path: str) -> str:
    if path and (not path.startswith(".lightly/") or ".." in path.split("/")):
        raise ValueError("write a path in the LIGHTLY datasource that begins with .lightly/")
    return path


class CorruptnessCheck(StrictModel):
    """`worker_config.corruptness_check`."""

    corruption_threshold: float | None = Field(
        None, ge=0, le=1, description="Score above which old workers called a frame corrupt."
    )


class InputExpiration(StrictModel):
    """`worker_config.datasource.input_expiration`."""

    min_days_to_expiration: float = Field(ge=0, description="Days an input must still live.")
    handling_strategy: Literal["SKIP", "ABORT"] = Field(
        description="What to do with inputs that expire sooner."
    )


class WorkerDatasource(StrictModel):
    """`worker_config.datasource`."""

    process_all: bool = Field(False, description="Take all videos, not only new ones.")
    enable_datapool_update: bool = Field(True, description="Remember the selection.")
    bypass_verify: bool = Field(False, description="Skip the permission check before work.")
    input_expiration: InputExpiration | None = Field(
        None, description="How to treat inputs under a retention rule."
    )


class Training(StrictModel):
    """`worker_config.training`."""

    task_name: Annotated[TaskName | None, BeforeValidator(_none_if_empty)] = Field(
        None, description="Task whose crops a model is trained on."
    )


class Crops(StrictModel):
    """`worker_config.crops`."""

    enable_upload: bool = Field(True, description="Store object crops.")
    enable_upload_for_tasks: list[str] | None = Field(None, description="Tasks to store crops of.")


class WorkerConfig(StrictModel):
    """`worker_config` in Lightly's shape."""

    KEY_ADVICE: ClassVar[dict[str, str]] = {
        "enable_corruptness_check": "it is always on; remove it",
        "remove_exact_duplicates": "copies are only chosen when nothing else is left; remove it",
        "method": "use selection_config.strategies",
        "stopping_condition": "use selection_config.n_samples or a DIVERSITY strategy's "
        "stopping_condition_minimum_distance",
        "object_level": "object selection of old workers is gone; remove it",
        "active_learning": "use a SCORES input in selection_config.strategies",
        "scorer": "use a SCORES input in selection_config.strategies",
        "lightly": "options of the embedding model go into lightly_config",
    }

    use_datapool: bool = Field(False, description="Add to earlier selections of the dataset.")
    enable_training: bool = Field(False, description="Train a model on the input first.")
    training: Training = Field(default_factory=Training, description="Training options.")
    checkpoint: str = Field(
        "",
        description="Local file of weights for lightly_config.model.name, or a run's checkpoint; "
        "where training starts.",
    )
    checkpoint_run_id: RunId | None = Field(
        None, description="Earlier run whose model is used, or where training starts."
    )
    embeddings: Annotated[str, AfterValidator(_vectors_file)] = Field(
        "",
        description="File of your own embeddings, CSV, Parquet or .npy: below .lightly/ in "
        "LIGHTLY, on the machine that runs, or s3://.",
    )
    normalize_embeddings: bool = Field(
        True, description="Bring embeddings to unit length before selection."
    )
    corruptness_check: CorruptnessCheck = Field(
        default_factory=CorruptnessCheck, description="Options of the corruptness check."
    )
    datasource: WorkerDatasource = Field(
        default_factory=WorkerDatasource, description="How the datasources are used."
    )
    crops: Crops = Field(default_factory=Crops, description="Object crops.")
    num_processes: AtLeastMinusOne = Field(-1, description="Worker processes; threads are used.")
    num_threads: AtLeastMinusOne = Field(
        -1, description="Videos decoded at once; -1 or 0 for one per core."
    )
    output_image_format: Annotated[ImageFormat, BeforeValidator(_image_format)] = Field(
        "png", description="Format of the images: png, jpg, jpeg, webp, bmp or tiff (also tif)."
    )
    resize: Annotated[int | tuple[int, int] | None, BeforeValidator(_parse_resize)] = Field(
        None,
        description="Size of the images: -1 keeps it, x makes the shorter edge x pixels, "
        "[height, width] is taken exactly.",
    )
    pretagging: bool = Field(False, description="Run a built-in detector.")
    pretagging_upload: bool = Field(False, description="Store the detector's predictions.")
    relevant_filenames_file: Annotated[str, AfterValidator(_below_lightly)] = Field(
        "", description="File below .lightly/ in LIGHTLY that names the videos to use."
    )
    selected_sequence_length: int = Field(1, ge=1, description="Frames per selected sequence.")
    upload_report: bool = Field(True, description="Store a report of the run.")
    shutdown_when_job_finished: bool = Field(False, description="End the worker after this run.")
    cache_size: AtLeastMinusOne | None = Field(None, description="Bytes of the on-disk cache.")

    @model_validator(mode="after")
    def _one_checkpoint(self) -> "WorkerConfig":
        if self.checkpoint and self.checkpoint_run_id:
            raise ValueError("checkpoint and checkpoint_run_id exclude each other: give one")
        if self.embeddings and self.enable_training:
            raise ValueError("embeddings and enable_training exclude each other: give one")
        return self
