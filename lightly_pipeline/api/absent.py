"""The methods of the original's client that this one does not have, and why.

Calling one raises an error that says so. docs/from-lightly.md lists them, too.
"""

_SHARING = "there are no user accounts here; who can read the state folder uses the deployment"

ABSENT: dict[str, str] = {
    "share_dataset_only_with": _SHARING,
    "get_shared_users": _SHARING,
    "upload_scores": "scores are computed from predictions (create_or_update_prediction); numbers "
    "of your own are metadata (upload_custom_metadata) for WEIGHTS and THRESHOLD",
    "selection": "selections are runs: schedule_compute_worker_run(selection_config=...)",
    "upload_file_with_signed_url": "no URL is given out here to write to; the LIGHTLY datasource "
    "is written with its own tools",
}
