"""Upstream: puts recordings where the dataset `street` looks for videos.

Here they are drawn; yours come from cameras, an archive, a partner's bucket.
"""

from pathlib import Path

import dagster as dg

from lightly_pipeline.demo import make_demo_videos

VIDEOS = Path(__file__).parents[3] / "data" / "videos"


@dg.asset(group_name="labelling", kinds={"video"})
def recordings() -> dg.MaterializeResult:
    """Recordings of the day, in the folder that `street` reads."""
    files = make_demo_videos(VIDEOS)
    return dg.MaterializeResult(
        metadata={"recordings": len(files), "folder": dg.MetadataValue.path(str(VIDEOS))}
    )
