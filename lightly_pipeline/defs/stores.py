"""A user's own S3 resource (dagster-aws) in place of the credentials of datasources."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dagster as dg

from lightly_pipeline.datasets import Dataset
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import InvalidConfigurationError

S3_KEY = "s3"
"""Key of the resource among `resource_overrides`."""


def with_s3_resource(dataset: Dataset, resource: Any) -> Dataset:
    """Returns the dataset with S3 datasources that use the client of a resource.

    Args:
        dataset: The dataset.
        resource: An `S3Resource`, or another with a method `get_client`; None changes nothing.
    """
    if resource is None:
        return dataset
    input_, lightly = (_with_client(store, resource) for store in (dataset.input, dataset.lightly))
    return replace(dataset, input=input_, lightly=lightly)


def s3_resource_of(value: Any) -> Any:
    """Returns a resource as it is, and one that is described by its fields.

    Raises:
        InvalidConfigurationError: It is neither.
    """
    if value is None or hasattr(value, "get_client"):
        return value
    if not isinstance(value, Mapping):
        raise InvalidConfigurationError(
            f"s3: expected fields of S3Resource, or one, got {type(value).__name__}"
        )
    from dagster_aws.s3 import S3Resource

    unknown = sorted(set(value) - set(S3Resource.model_fields))
    if unknown:
        known = ", ".join(sorted(S3Resource.model_fields))
        raise InvalidConfigurationError(f"s3.{unknown[0]}: unknown field; there are {known}")
    return S3Resource(**value)


def _with_client(store: Datasource, resource: Any) -> Datasource:
    # Asking for the class would load botocore for folders, too.
    if not hasattr(store, "with_client"):
        return store

    def make_client() -> Any:
        ready = resource
        if isinstance(resource, dg.ConfigurableResource):
            # Outside of a run, too: reads what environment variables hold by now.
            ready = resource.process_config_and_initialize()
        return ready.get_client()

    changed: Datasource = store.with_client(make_client)
    return changed
