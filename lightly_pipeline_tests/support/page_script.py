"""The documentation page's script, with the lines changed that a user changes.

The listings are the page's own, one after the other, in `page_listings.txt` beside the client's
tests.
"""

from pathlib import Path

from lightly_pipeline_tests.support.s3_servers import ACCESS_KEY, SECRET_KEY

LISTINGS = Path(__file__).resolve().parents[1] / "api" / "page_listings.txt"
BUCKET, REGION = "bucket", "eu-central-1"
_IMPORTS = """\
from lightly.api import ApiWorkflowClient
from lightly.openapi_generated.swagger_client import DatasetType, DatasourcePurpose
"""
_OURS = """\
from lightly_pipeline.api import ApiWorkflowClient
from lightly_pipeline.api import DatasetType, DatasourcePurpose
"""
_WATCH = """
for scheduled in client.get_scheduled_compute_worker_runs():
    for info in client.compute_worker_run_info_generator(scheduled.id):
        print(info.state, info.message, flush=True)
"""


def page_script() -> str:
    """Returns the listings with other imports and credentials, and a loop that waits."""
    script = LISTINGS.read_text()
    assert _IMPORTS in script
    script = script.replace(_IMPORTS, _OURS)
    script = script.replace('"S3-ACCESS-KEY"', f'"{ACCESS_KEY}"')
    return script.replace('"S3-SECRET-ACCESS-KEY"', f'"{SECRET_KEY}"') + _WATCH
