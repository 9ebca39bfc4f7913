"""Downstream: labels the chosen frames.

The labels are made up (dark or bright); a labelling service, or people, would stand here. What is
to be labelled is in the manifest that the last run of `street` has left.
"""

import json
from pathlib import Path

import dagster as dg
from PIL import Image, ImageStat

CHOSEN = dg.AssetKey(["street", "uploaded_frames"])
LABELS = Path(__file__).parents[3] / "data" / "labels.json"
_DARK = 80


@dg.asset(
    deps=[CHOSEN],
    group_name="labelling",
    kinds={"json"},
    automation_condition=dg.AutomationCondition.eager(),
)
def labels(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """A label of every chosen frame, by the name of its image."""
    event = context.instance.get_latest_materialization_event(CHOSEN)
    if event is None or event.asset_materialization is None:
        raise dg.Failure("no frames were chosen yet: launch street_run_job first")
    manifest = Path(str(event.asset_materialization.metadata["manifest"].value))
    root = manifest.parents[3]
    made = {
        image["image"]: _label(root / image["image"])
        for image in json.loads(manifest.read_text())["images"]
    }
    LABELS.write_text(json.dumps(made, indent=1))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(made),
            "dark": sum(label == "dark" for label in made.values()),
            "file": dg.MetadataValue.path(str(LABELS)),
        }
    )


def _label(image: Path) -> str:
    with Image.open(image) as picture:
        brightness = ImageStat.Stat(picture.convert("L")).mean[0]
    return "dark" if brightness < _DARK else "bright"
