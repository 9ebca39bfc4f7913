"""Every kind of store that the contract of datasources is tried on: where it is, what it knows."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline.datasources import (
    AzureDatasource,
    Datasource,
    GCSDatasource,
    LocalDatasource,
    S3Datasource,
    datasource_from_url,
)
from lightly_pipeline_tests.support.ceph import ceph, has_ceph
from lightly_pipeline_tests.support.cloud_servers import (
    AZURE_ACCOUNT,
    AZURE_KEY,
    azurite,
    azurite_program,
    fake_gcs,
    gcs_program,
    guarded_moto,
)
from lightly_pipeline_tests.support.s3_servers import make_bucket, store_at

BUCKET = "contract"
REAL_BUCKET_VARIABLE = "LIGHTLY_PIPELINE_TEST_BUCKET"
CEPH_VARIABLE = "LIGHTLY_PIPELINE_TEST_CEPH"
SECRET = "canary+secret/4c1e"


@dataclass(frozen=True)
class Target:
    """A kind of store.

    Attributes:
        at: Returns the datasource of a prefix.
        reading: The same with credentials that only list and read; None where nobody asks.
        denied: The same with credentials that are not known there, of which `SECRET` is a part.
        knows_dots: Whether `a/../b`, or one with a backslash, is a name like others.
        knows_double_slashes: Whether `a//b` is.
        one_creates: Whether of racing writers that create an object exactly one wins.
        one_replaces: The same of those that replace one version.
    """

    at: Callable[[str], Datasource]
    reading: Callable[[str], Datasource] | None = None
    denied: Callable[[str], Datasource] | None = None
    knows_dots: bool = True
    knows_double_slashes: bool = True
    one_creates: bool = True
    one_replaces: bool = True


def s3_target(url: str, keys: dict[str, tuple[str, str]], bucket: str = BUCKET) -> Target:
    """Returns an S3 server that knows a reader and a writer."""

    def at(prefix: str, key: str, secret: str) -> S3Datasource:
        return S3Datasource(
            f"s3://{bucket}/{prefix}",
            endpoint_url=url,
            region="us-east-1",
            access_key_id=key,
            secret_access_key=secret,
        )

    return Target(
        at=lambda prefix: at(prefix, *keys["writer"]),
        reading=lambda prefix: at(prefix, *keys["reader"]),
        denied=lambda prefix: at(prefix, "nobody", SECRET),
    )


def gcs_at(url: str, prefix: str) -> GCSDatasource:
    """Returns the datasource of a prefix on the emulator."""
    return GCSDatasource(f"gs://{BUCKET}/{prefix}", endpoint_url=url)


def azure_at(url: str, prefix: str, **credentials: str) -> AzureDatasource:
    """Returns the datasource of a prefix on the emulator."""
    return AzureDatasource(
        f"az://{BUCKET}/{prefix}",
        account_name=AZURE_ACCOUNT,
        endpoint_url=url,
        **(credentials or {"account_key": AZURE_KEY}),
    )


def make_gcs_bucket(url: str) -> None:
    """Makes the bucket on the emulator."""
    import requests

    requests.post(f"{url}/storage/v1/b", params={"project": "p"}, json={"name": BUCKET})


def make_azure_container(url: str) -> str:
    """Makes the container on the emulator; returns a SAS token that lists and reads it."""
    from datetime import UTC, datetime, timedelta

    from azure.core.credentials import AzureNamedKeyCredential
    from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

    key = AzureNamedKeyCredential(AZURE_ACCOUNT, AZURE_KEY)
    ContainerClient(url, BUCKET, credential=key).create_container()
    return generate_container_sas(
        AZURE_ACCOUNT,
        BUCKET,
        account_key=AZURE_KEY,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )


@contextmanager
def moto_target() -> Iterator[Target]:
    """An emulator that enforces IAM policies."""
    with guarded_moto(BUCKET) as (url, keys):
        yield s3_target(url, keys)


@contextmanager
def gcs_target() -> Iterator[Target]:
    """An emulator of Google Cloud Storage, which asks nobody who he is."""
    if gcs_program() is None:
        pytest.skip("fake-gcs-server is not installed")
    with fake_gcs() as url:
        make_gcs_bucket(url)
        yield Target(at=lambda prefix: gcs_at(url, prefix))


@contextmanager
def azure_target() -> Iterator[Target]:
    """An emulator of Azure Blob Storage, which checks signatures."""
    if azurite_program() is None:
        pytest.skip("Azurite is not installed (.ci/run shows how)")
    with azurite() as url:
        token = make_azure_container(url)
        wrong = "Y2FuYXJ5" + AZURE_KEY[8:]
        yield Target(
            at=lambda prefix: azure_at(url, prefix),
            reading=lambda prefix: azure_at(url, prefix, sas_token=token),
            denied=lambda prefix: azure_at(url, prefix, account_key=wrong),
            knows_dots=False,
        )


@contextmanager
def ceph_target(folder: Path) -> Iterator[Target]:
    """Ceph's object gateway, where Debian's packages of it are and `make test-ceph` asks for it."""
    if not os.environ.get(CEPH_VARIABLE) or not has_ceph():
        pytest.skip(f"runs with {CEPH_VARIABLE}=1 where Ceph is installed: make test-ceph")
    with ceph(folder, BUCKET) as (url, keys):
        # Ceph refuses If-Match, true or not.
        yield replace(s3_target(url, keys), one_replaces=False)


@contextmanager
def real_target() -> Iterator[Target]:
    """A bucket of one's own; what is written lies below a folder of its own and is removed."""
    place = os.environ.get(REAL_BUCKET_VARIABLE)
    if not place:
        pytest.skip(f"{REAL_BUCKET_VARIABLE} names no s3://, gs:// or az:// place")
    mine = f"{place.rstrip('/')}/contract-{uuid.uuid4().hex}"
    yield Target(
        at=lambda prefix: datasource_from_url(f"{mine}/{prefix}"),
        knows_dots=not place.startswith("az://"),
    )
    everything = datasource_from_url(mine)
    for item in list(everything.list()):
        everything.delete(item.path)


def swift_target(url: str) -> Target:
    """A production store whose conditional writes are not one step."""
    make_bucket(url, BUCKET)

    def denied(prefix: str) -> Any:
        return s3_target(url, {"writer": ("nobody", SECRET)}).at(prefix)

    return Target(
        at=lambda prefix: store_at(url, f"s3://{BUCKET}/{prefix}"),
        denied=denied,
        one_creates=False,
        one_replaces=False,
    )


def folder_target(folder: Path) -> Target:
    """A folder."""
    return Target(
        at=lambda prefix: LocalDatasource(folder / prefix),
        knows_dots=False,
        knows_double_slashes=False,
    )
