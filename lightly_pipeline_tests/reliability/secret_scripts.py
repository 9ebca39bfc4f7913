"""What users do with secrets, and what goes wrong then: `python -m ... NAME` does one of them.

Processes of their own, so that all that they print, store and start can be searched. What fails is
printed as a user sees it who does not catch it. Nothing here is asserted; `test_secrets.py` plants
and searches.
"""

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from lightly_pipeline import Dataset, S3Datasource, VideoDataset, build_definitions
from lightly_pipeline.api import ApiWorkflowClient, DatasetType, DatasourcePurpose
from lightly_pipeline.config import RunConfig, load_config_file
from lightly_pipeline.datasets import load_datasets
from lightly_pipeline.pipeline import run
from lightly_pipeline_tests.support.markers import MARKERS as SECRET

INPUT, LIGHTLY = "s3://bucket/videos/", "s3://bucket/lightly/"
TWO = {"n_samples": 2}


def attempt(what: str, do: Callable[[], object]) -> None:
    """Shows what comes of it, as an interpreter would."""
    print(f"--- {what}", flush=True)
    try:
        print(repr(do()), flush=True)
    except Exception:  # noqa: BLE001  as an interpreter does
        traceback.print_exc()


def wrong(**options: Any) -> Dataset:
    """A dataset in the bucket, reached by what the store does not take."""
    dataset = Dataset(
        "street",
        input=S3Datasource(INPUT, **options),
        lightly=S3Datasource(LIGHTLY, **options),
        selection_config=TWO,
        pipeline_config={"store_patience_s": 1},
    )
    return dataset.patient(1)


def from_python() -> None:
    """Keys, profiles and roles given in Python; stores of all moods."""
    keys = {"access_key_id": "test:admin", "secret_access_key": SECRET["Python"]}
    attempt("its repr", lambda: wrong(**keys))
    attempt("pickled", lambda: pickle.dumps(wrong(**keys)))
    attempt("wrong secret", lambda: run(wrong(**keys)))
    token = {**keys, "session_token": SECRET["Python, session token"]}
    attempt("session token", lambda: run(wrong(**token)))
    attempt("half a pair", lambda: wrong(secret_access_key=SECRET["Python"]))
    attempt("an option of another name", lambda: wrong(secret_key=SECRET["Python"]))
    attempt("profile", lambda: run(wrong(profile="planted")))
    attempt("no such profile", lambda: run(wrong(profile="of-nobody")))
    role = {
        "role_arn": "arn:aws:iam::123456789012:role/reader",
        "external_id": SECRET["Python, external id"],
    }
    attempt("role", lambda: run(wrong(**role)))
    for name in ("FORBIDDEN", "HTML", "GONE", "SILENT"):
        endpoint = {**keys, "endpoint_url": os.environ[name]}
        attempt(f"a store that is {name}", lambda given=endpoint: run(wrong(**given)))  # type: ignore[misc]
    attempt("key in a URL", lambda: S3Datasource(f"s3://AKIA:{SECRET['URL']}@bucket/"))
    url = f"http://me:{SECRET['endpoint']}@127.0.0.1:1"
    attempt("password in an endpoint", lambda: wrong(endpoint_url=url))
    block = {"datasource": {"secret_access_key": SECRET["options"]}}
    attempt("a secret among options", lambda: run(wrong(**keys), worker_config=block))
    attempt("beside a wrong option", lambda: run(wrong(**keys), worker_config={"no_option": 1}))

    def fails(*_: object) -> None:
        raise RuntimeError(f"in the middle of {wrong(**keys)}")

    good = Dataset(
        "street", input=S3Datasource(INPUT), lightly=S3Datasource(LIGHTLY), selection_config=TWO
    )
    attempt("a step that fails", lambda: run(good, progress=fails))
    attempt("a good run", lambda: run(good))
    from_files()
    leave_a_crash()


def from_files() -> None:
    """Dataset files and files of options."""

    def check(blocks: Any) -> None:
        # Its own file's content a user may well show.
        RunConfig.from_blocks(**blocks)

    for file in sorted(Path(os.environ["FILES"]).glob("*.yaml")):
        attempt(file.name, lambda given=file: load_datasets(given))  # type: ignore[misc]
        attempt(file.name, lambda given=file: check(load_config_file(given)))  # type: ignore[misc]


def from_client() -> None:
    """The client, with runs that it executes itself, and one for a worker."""
    client = ApiWorkflowClient(token=SECRET["client, token"])
    attempt("its repr", lambda: (client, vars(client), client._deployment.address))
    client.create_new_dataset_with_unique_name("with secrets", DatasetType.VIDEOS)
    region = "us-east-1"

    def with_keys() -> None:
        for purpose, place in ((DatasourcePurpose.INPUT, INPUT), ("LIGHTLY", LIGHTLY)):
            client.set_s3_config(place, region, "test:admin", SECRET["client"], purpose=purpose)

    attempt("keys", with_keys)
    attempt("its datasource", client.get_datasource)
    attempt("permissions", client.list_datasource_permissions)
    executed = {"run_in_process": True}
    attempt("a run", lambda: client.wait_for_run(client.schedule_compute_worker_run(), **executed))
    block = {"datasource": {"secret_access_key": SECRET["options"]}}
    attempt("a secret among options", lambda: client.schedule_compute_worker_run(block))
    client.schedule_compute_worker_run()
    client.create_new_dataset_with_unique_name("with a role", DatasetType.VIDEOS)
    role = ("arn:aws:iam::123456789012:role/reader", SECRET["client, external id"])
    attempt("role", lambda: client.set_s3_delegated_access_config(INPUT, region, *role))
    attempt("permissions", client.list_datasource_permissions)
    attempt("its dataset", lambda: client._deployment.dataset(client.dataset_id))
    client.create_new_dataset_with_unique_name("another store", DatasetType.VIDEOS)
    place = f"http://me:{SECRET['endpoint']}@127.0.0.1:1"
    keys = ("test:admin", SECRET["client, other store"])
    attempt("endpoint", lambda: client.set_obs_config("obs://bucket/videos", place, *keys))
    attempt("store", lambda: client.set_obs_config(INPUT, os.environ["FORBIDDEN"], *keys))
    attempt("permissions", client.list_datasource_permissions)
    url = f"s3://AKIA:{SECRET['URL']}@bucket/"
    attempt("URL", lambda: client.set_s3_config(url, region))


def from_dagster() -> None:
    """Resources, components and launches, on an instance that keeps everything."""
    from dagster_aws.s3 import S3Resource

    resource = S3Resource(
        region_name="us-east-1",
        aws_access_key_id="test:admin",
        aws_secret_access_key=dg.EnvVar("SECRET_OF_MINE"),
    )
    fields = {"aws_access_key_id": "test:admin", "aws_secret_access_key": SECRET["resource"]}
    component = VideoDataset(
        name="component",
        input=INPUT,
        lightly={"resource_path": LIGHTLY, "external_id": SECRET["component"]},
        s3={"region_name": "us-east-1", **fields},
    )
    attempt("component", lambda: component)
    place = {"resource_path": INPUT, "secret_access_key": SECRET["component"]}
    refused = VideoDataset(name="refused", input=place, lightly=LIGHTLY)
    attempt("secret in a component", lambda: refused)
    context = dg.ComponentTree.for_test().load_context
    attempt("secret in a component", lambda: refused.build_defs(context))
    good = Dataset("good", input=S3Datasource(INPUT), lightly=S3Datasource(LIGHTLY))
    launch = {
        "resources": {
            "worker_config": {"config": {"datasource": {"secret": SECRET["launch"]}}},
            "selection_config": {"config": TWO},
        }
    }
    fine = {"resources": {"selection_config": {"config": TWO}}}
    definitions = {
        "EnvVar": build_definitions(wrong(), resource_overrides={"s3": resource}),
        "fields": component.build_defs(context),
        "keys": build_definitions(
            wrong(access_key_id="test:admin", secret_access_key=SECRET["Python"])
        ),
        "good": build_definitions(good),
    }
    jobs = {"EnvVar": "street", "fields": "component", "keys": "street", "good": "good"}
    with dg.DagsterInstance.get() as instance:
        for name, made in definitions.items():
            job = made.resolve_job_def(f"{jobs[name]}_run_job")
            for config in (fine, launch) if name == "good" else (fine,):
                attempt(
                    f"a run by {name}",
                    lambda job=job, config=config: (
                        job.execute_in_process(  # type: ignore[misc]
                            run_config=config, instance=instance, raise_on_error=False
                        ).success
                    ),
                )


def leave_a_crash() -> None:
    """Leaves what an attempt at the video leaves that dies: the next is made in a child."""
    from lightly_pipeline.steps.setup import Run, resolve_config
    from lightly_pipeline.tables.handle import video_table

    data = Dataset("crash", input=S3Datasource(INPUT), lightly=S3Datasource("s3://bucket/other/"))
    tables = Run(data, resolve_config(data), "any").table_id
    for listed in data.input.list(""):
        video_table(data.lightly, tables, listed).begin_attempt()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
