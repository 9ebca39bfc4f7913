"""How a dataset is declared in a file: where its files are, where results go, its defaults.

The fields of one declaration. What becomes of them is in `lightly_pipeline.datasets`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from lightly_pipeline.config.base import StrictModel
from lightly_pipeline.config.checks import CheckLimits

# The shortest window that Dagster's freshness policies take, in hours.
_MINUTE = 1 / 60
_NO_SECRETS = (
    "it does not belong into a file: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the "
    "environment, or name a profile or role_arn"
)
_NO_GOOGLE_SECRETS = (
    "they do not belong into a file: set GOOGLE_APPLICATION_CREDENTIALS in the environment, or run "
    "where a service account is attached"
)
_NO_AZURE_SECRETS = (
    "it does not belong into a file: log in (az login), use a managed identity, or set "
    "AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN in the "
    "environment"
)


class DatasetType(StrEnum):
    """What the INPUT datasource holds, in Lightly's words."""

    VIDEOS = "Videos"
    IMAGES = "Images"
    CROPS = "Crops"


class Place(StrictModel):
    """A folder or a part of a bucket; as text, or as `resource_path` with options."""

    KEY_ADVICE: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("access_key_id", "secret_access_key", "session_token"), _NO_SECRETS),
        "credentials": _NO_GOOGLE_SECRETS,
        **dict.fromkeys(("account_key", "sas_token", "connection_string"), _NO_AZURE_SECRETS),
    }

    resource_path: str = Field(
        description="A folder, s3://bucket/prefix/, gs://bucket/prefix/ or az://container/prefix/."
    )
    region: str | None = Field(None, description="AWS region.")
    endpoint_url: str | None = Field(None, description="Of a store that is not the cloud's own.")
    profile: str | None = Field(None, description="Profile in the AWS configuration files.")
    role_arn: str | None = Field(None, description="Role to assume.")
    external_id: str | None = Field(None, description="External id of the role.", repr=False)
    addressing_style: Literal["auto", "path", "virtual"] | None = Field(
        None, description="How the bucket is put into requests."
    )
    verify: str | None = Field(None, description="Bundle of certificate authorities.")
    kms_key_id: str | None = Field(None, description="KMS key for written objects (s3, gs).")
    request_payer: Literal["requester"] | None = Field(
        None, description="requester, where who reads the bucket pays for it (s3)."
    )
    project_id: str | None = Field(None, description="Project of Google's client.")
    account_name: str | None = Field(None, description="Azure storage account.")

    @property
    def options(self) -> dict[str, str]:
        """What is given besides the path."""
        return self.model_dump(exclude={"resource_path"}, exclude_none=True)


def _place(value: Any) -> Any:
    if isinstance(value, str):
        return {"resource_path": value}
    if isinstance(value, Mapping | Place):
        return value
    raise ValueError("expected a folder, s3://, gs:// or az://, or resource_path with options")


def _dataset_type(value: Any) -> Any:
    for kind in DatasetType:
        if str(value).lower() == kind.value.lower():
            return kind
    raise ValueError("is not known; use VIDEOS or IMAGES")


class DatasetDeclaration(StrictModel):
    """One dataset in a file; the same fields as `Dataset` has."""

    input: Annotated[Place, BeforeValidator(_place)] = Field(
        description="Where the videos or images are."
    )
    lightly: Annotated[Place, BeforeValidator(_place)] = Field(
        description="Where images, tables and manifests go."
    )
    dataset_type: Annotated[DatasetType, BeforeValidator(_dataset_type)] = Field(
        DatasetType.VIDEOS, description="What INPUT holds: VIDEOS or IMAGES."
    )
    worker_config: dict[str, Any] | None = Field(None, description="Default block.")
    lightly_config: dict[str, Any] | None = Field(None, description="Default block.")
    selection_config: dict[str, Any] | None = Field(None, description="Default block.")
    pipeline_config: dict[str, Any] | None = Field(None, description="Default block.")
    automation: bool = Field(False, description="Process new videos without being asked.")
    videos_per_partition: int | None = Field(
        None,
        ge=1,
        description="Videos that share a partition in Dagster, such as 500 in a dataset of a "
        "million; one each without it.",
    )
    owners: list[str] = Field([], description="Of the assets: e-mail addresses, or team:NAME.")
    freshness_hours: float | None = Field(
        None,
        ge=_MINUTE,
        description="How often a listing is expected; the catalogue is overdue later.",
    )
    selection_freshness_hours: float | None = Field(
        None,
        ge=_MINUTE,
        description="How often a selection is expected; its images are overdue later.",
    )
    checks: CheckLimits = Field(
        CheckLimits(), description="From when on the dataset's asset checks fail."
    )
    run_tags: dict[str, str | dict[str, Any]] = Field(
        {},
        description="Tags of runs that its jobs and sensors start: what these need of a machine, "
        "by `dagster-k8s/config` or `dagster-celery/queue`.",
    )
    dataset_id: str = Field("", description="Id by which SIMILARITY names the dataset.")
    thumbnail_suffix: str | None = Field(
        None,
        description="Where thumbnails of the images go, such as "
        "`.lightly/thumbnails/[filename]_thumb.[extension]`; none without.",
    )
