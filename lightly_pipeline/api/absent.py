"""The methods of the original's client that this one does not have, and why.

Calling one raises an error that says so. docs/from-lightly.md lists them, too.
"""

_WORKERS = (
    "workers are not registered here: start `lightly-pipeline worker --labels ...`, or a Dagster "
    "daemon"
)
_IMAGES = "images are read where they are: put them into the INPUT datasource by its own tools"
_STORES = "S3, stores with its protocol (set_obs_config) and folders are supported"
_SHARING = "there are no user accounts here; who can read the state folder uses the deployment"
_OWN_FILES = (
    "put the files into the LIGHTLY datasource, where runs read them "
    "(.lightly/metadata, .lightly/predictions)"
)
_LISTING = "runs list and read the datasource themselves; nothing has to be downloaded first"
_EMBEDDINGS = "embeddings lie in the LIGHTLY datasource, one file per video, and are found by runs"

ABSENT: dict[str, str] = {
    "register_compute_worker": _WORKERS,
    "get_compute_worker_ids": _WORKERS,
    "get_compute_workers": _WORKERS,
    "delete_compute_worker": _WORKERS,
    "create_compute_worker_config": "schedule_compute_worker_run takes the configuration itself",
    "get_compute_worker_run_checkpoint_url": "no run trains a model",
    "set_azure_config": _STORES,
    "set_gcs_config": _STORES,
    "share_dataset_only_with": _SHARING,
    "get_shared_users": _SHARING,
    "create_or_update_prediction_task_schema": _OWN_FILES,
    "create_or_update_prediction": _OWN_FILES,
    "verify_custom_metadata_format": _OWN_FILES,
    "index_custom_metadata_by_filename": _OWN_FILES,
    "upload_custom_metadata": _OWN_FILES,
    "create_custom_metadata_config": _OWN_FILES,
    "upload_scores": _OWN_FILES,
    "selection": "selections are runs: schedule_compute_worker_run(selection_config=...)",
    "upload_file_with_signed_url": _IMAGES,
    "download_new_raw_samples": _LISTING,
    "get_processed_until_timestamp": _LISTING,
    "update_processed_until_timestamp": _LISTING,
    "set_embedding_id_to_latest": _EMBEDDINGS,
    "upload_embeddings": _EMBEDDINGS,
    "append_embeddings": _EMBEDDINGS,
    "create_tag_from_filenames": "tags are what runs chose; keep lists of your own as files",
    "delete_tag_by_id": "tags are what runs chose, and are kept",
    "delete_tag_by_name": "tags are what runs chose, and are kept",
}
