"""The client's methods about datasources."""

from pathlib import Path

from lightly_pipeline.api.client_base import ClientBase
from lightly_pipeline.datasources import (
    AzureDatasource,
    GCSDatasource,
    S3Datasource,
    verify_access,
)
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.layout import THUMBNAIL_SUFFIX, check_thumbnail_suffix
from lightly_pipeline.scheduling.models import (
    THUMBNAIL_SUFFIX_OPTION,
    DatasourceData,
    DatasourcePurpose,
)


class DatasourceMethods(ClientBase):
    """Where the current dataset's videos are and where its images go.

    Nothing is connected to yet: whether a store can be reached and what the credentials allow is
    tried at the start of every run, and by `list_datasource_permissions`. Of every
    `thumbnail_suffix` that of the LIGHTLY datasource counts: chosen frames get a thumbnail of at
    most 256 pixels there.
    """

    def set_s3_config(
        self,
        resource_path: str,
        region: str,
        access_key: str | None = None,
        secret_access_key: str | None = None,
        thumbnail_suffix: str | None = THUMBNAIL_SUFFIX,
        purpose: str = DatasourcePurpose.INPUT_OUTPUT,
    ) -> None:
        """Sets a part of an S3 bucket; AWS_ENDPOINT_URL_S3 leads to a store other than AWS.

        Args:
            resource_path: `s3://bucket/prefix/`.
            region: Its region.
            access_key: Better left out: whoever executes the run then uses its environment,
                profile or role. Otherwise kept in a file that only its owner can read.
            secret_access_key: As above.
            thumbnail_suffix: Where thumbnails go, below `.lightly/thumbnails/`; None for none.
            purpose: What the datasource is for.

        Raises:
            InvalidConfigurationError: A value is wrong.
        """
        S3Datasource(resource_path, access_key_id=access_key, secret_access_key=secret_access_key)
        self._deployment.datasets.set_datasource(
            self.dataset_id,
            _purpose(purpose),
            kind="S3",
            full_path=resource_path,
            options={"region": region, **_thumbnails(thumbnail_suffix)},
            secrets={"access_key_id": access_key, "secret_access_key": secret_access_key},
        )

    def set_s3_delegated_access_config(
        self,
        resource_path: str,
        region: str,
        role_arn: str,
        external_id: str,
        thumbnail_suffix: str | None = THUMBNAIL_SUFFIX,
        purpose: str = DatasourcePurpose.INPUT_OUTPUT,
    ) -> None:
        """Sets a part of an S3 bucket that is reached through a role.

        Args:
            resource_path: `s3://bucket/prefix/`.
            region: Its region.
            role_arn: The role that whoever executes the run assumes.
            external_id: The role's external id; kept as access keys are.
            thumbnail_suffix: Where thumbnails go, below `.lightly/thumbnails/`; None for none.
            purpose: What the datasource is for.

        Raises:
            InvalidConfigurationError: A value is wrong.
        """
        S3Datasource(resource_path)
        self._deployment.datasets.set_datasource(
            self.dataset_id,
            _purpose(purpose),
            kind="S3DelegatedAccess",
            full_path=resource_path,
            options={"region": region, "role_arn": role_arn, **_thumbnails(thumbnail_suffix)},
            secrets={"external_id": external_id},
        )

    def set_obs_config(
        self,
        resource_path: str,
        obs_endpoint: str,
        obs_access_key_id: str,
        obs_secret_access_key: str,
        thumbnail_suffix: str | None = THUMBNAIL_SUFFIX,
        purpose: str = DatasourcePurpose.INPUT_OUTPUT,
    ) -> None:
        """Sets a part of a bucket in any store that speaks the S3 protocol.

        Args:
            resource_path: `obs://bucket/prefix/` or `s3://bucket/prefix/`.
            obs_endpoint: URL of the store.
            obs_access_key_id: Access key.
            obs_secret_access_key: Secret key.
            thumbnail_suffix: Where thumbnails go, below `.lightly/thumbnails/`; None for none.
            purpose: What the datasource is for.

        Raises:
            InvalidConfigurationError: A value is wrong.
        """
        url = "s3://" + resource_path.removeprefix("obs://").removeprefix("s3://")
        S3Datasource(
            url,
            endpoint_url=obs_endpoint,
            access_key_id=obs_access_key_id,
            secret_access_key=obs_secret_access_key,
        )
        self._deployment.datasets.set_datasource(
            self.dataset_id,
            _purpose(purpose),
            kind="OBS",
            full_path=url,
            options={"endpoint_url": obs_endpoint, **_thumbnails(thumbnail_suffix)},
            secrets={
                "access_key_id": obs_access_key_id,
                "secret_access_key": obs_secret_access_key,
            },
        )

    def set_gcs_config(
        self,
        resource_path: str,
        project_id: str,
        credentials: str | None = None,
        thumbnail_suffix: str | None = THUMBNAIL_SUFFIX,
        purpose: str = DatasourcePurpose.INPUT_OUTPUT,
    ) -> None:
        """Sets a part of a bucket in Google Cloud Storage.

        Args:
            resource_path: `gs://bucket/prefix/`.
            project_id: The project.
            credentials: Content of a service account's key file. Better left out: whoever executes
                the run then uses its application default credentials. Otherwise kept as access
                keys are.
            thumbnail_suffix: Where thumbnails go, below `.lightly/thumbnails/`; None for none.
            purpose: What the datasource is for.

        Raises:
            InvalidConfigurationError: A value is wrong.
        """
        GCSDatasource(resource_path, credentials=credentials)
        self._deployment.datasets.set_datasource(
            self.dataset_id,
            _purpose(purpose),
            kind="GCS",
            full_path=resource_path,
            options={"project_id": project_id, **_thumbnails(thumbnail_suffix)},
            secrets={"credentials": credentials},
        )

    def set_azure_config(
        self,
        container_name: str,
        account_name: str,
        sas_token: str | None = None,
        thumbnail_suffix: str | None = THUMBNAIL_SUFFIX,
        purpose: str = DatasourcePurpose.INPUT_OUTPUT,
    ) -> None:
        """Sets a part of a container in Azure Blob Storage.

        Args:
            container_name: `container/prefix/`, or `az://container/prefix/`.
            account_name: The storage account.
            sas_token: Better left out: whoever executes the run then uses its environment, login or
                managed identity. Otherwise kept as access keys are.
            thumbnail_suffix: Where thumbnails go, below `.lightly/thumbnails/`; None for none.
            purpose: What the datasource is for.

        Raises:
            InvalidConfigurationError: A value is wrong.
        """
        url = "az://" + container_name.removeprefix("az://")
        AzureDatasource(url, sas_token=sas_token)
        self._deployment.datasets.set_datasource(
            self.dataset_id,
            _purpose(purpose),
            kind="AZURE",
            full_path=url,
            options={"account_name": account_name, **_thumbnails(thumbnail_suffix)},
            secrets={"sas_token": sas_token},
        )

    def set_local_config(
        self,
        relative_path: str = "",
        web_server_location: str | None = "http://localhost:3456",  # noqa: ARG002
        thumbnail_suffix: str | None = THUMBNAIL_SUFFIX,
        purpose: str = DatasourcePurpose.INPUT_OUTPUT,
    ) -> None:
        """Sets a folder.

        Args:
            relative_path: The folder as whoever executes the run sees it; absolute, or relative
                to the working folder of this script.
            web_server_location: Not used; files are read in place.
            thumbnail_suffix: Where thumbnails go, below `.lightly/thumbnails/`; None for none.
            purpose: What the datasource is for.

        Raises:
            InvalidConfigurationError: A value is wrong.
        """
        self._deployment.datasets.set_datasource(
            self.dataset_id,
            _purpose(purpose),
            kind="LOCAL",
            full_path=str(Path(relative_path).expanduser().resolve()),
            options=_thumbnails(thumbnail_suffix),
            secrets={},
        )

    def get_datasource(self) -> DatasourceData:
        """Returns the current dataset's INPUT datasource, without secrets.

        Raises:
            InvalidConfigurationError: There is none.
        """
        return self._deployment.datasets.datasource(self.dataset_id, DatasourcePurpose.INPUT)

    def list_datasource_permissions(self) -> dict[str, bool | dict[str, str]]:
        """Tries listing and reading INPUT, writing and overwriting LIGHTLY, from this machine.

        Returns:
            `can_list`, `can_read`, `can_write`, `can_overwrite`, and `errors` where there are any.
        """
        errors: dict[str, str] = {}
        for purpose, verbs in (
            (DatasourcePurpose.INPUT, ("can_list", "can_read")),
            (DatasourcePurpose.LIGHTLY, ("can_write", "can_overwrite")),
        ):
            try:
                datasource = self._deployment.datasource(self.dataset_id, purpose)
                verify_access(datasource, writable=purpose is DatasourcePurpose.LIGHTLY)
            except LightlyPipelineError as error:
                errors |= dict.fromkeys(verbs, str(error))
        granted: dict[str, bool | dict[str, str]] = {
            verb: verb not in errors
            for verb in ("can_read", "can_write", "can_list", "can_overwrite")
        }
        return {**granted, "errors": errors} if errors else granted


def _thumbnails(suffix: str | None) -> dict[str, str | None]:
    if suffix is not None:
        check_thumbnail_suffix(suffix)
    return {THUMBNAIL_SUFFIX_OPTION: suffix}


def _purpose(purpose: str) -> DatasourcePurpose:
    try:
        return DatasourcePurpose(purpose)
    except ValueError:
        raise InvalidConfigurationError(
            f"purpose {purpose!r} is not known; use DatasourcePurpose.INPUT or .LIGHTLY"
        ) from None
