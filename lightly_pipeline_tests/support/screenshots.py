"""Takes the pictures of the report that the README and the pages show.

    make demo
    .venv/bin/python -m lightly_pipeline_tests.support.screenshots demo_data/lightly

On a machine that does nothing else: the times of the run are in the picture.
"""

import base64
import io
import sys
from pathlib import Path

from PIL import Image

from lightly_pipeline_tests.support.browser import Browser, chromium

_IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
_SHOWN_SIZE = (1200, 750)
# Of the map's width and height: around the lowest group of the demo's frames.
_LASSO = (
    (0.27, 0.72),
    (0.4, 0.68),
    (0.5, 0.75),
    (0.5, 0.9),
    (0.42, 0.97),
    (0.3, 0.95),
    (0.25, 0.85),
)
_POINTED = 6  # choice #7, beside the lasso


def main(lightly: Path) -> None:
    """Takes the pictures of the newest report below a folder of results."""
    reports = (lightly / ".lightly" / "runs").glob("*/report.html")
    newest = max(reports, key=lambda path: path.stat().st_mtime)
    with chromium() as browser:
        browser.open(newest.resolve())
        browser.wait("return $$('#overview .plot svg.main-svg').length")
        save(browser, "report")
        browser.open(newest.resolve(), dark=True)
        browser.see_everything()
        browser.run("$('#map').scrollIntoView()")
        browser.drag(*(browser.map_place(*place) for place in _LASSO))
        browser.wait("return $('#map-list table')")
        x, y = browser.map_point(1, _POINTED)
        browser.point_at((x - 3, y), (x, y))
        browser.wait("return !$('.tip').hidden")
        save(browser, "report-map")


def save(browser: Browser, name: str) -> None:
    """Stores what the window shows, in colours that a small file can hold."""
    shot = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {})["data"]
    image = Image.open(io.BytesIO(base64.b64decode(shot))).convert("RGB")
    small = image.resize(_SHOWN_SIZE, Image.Resampling.LANCZOS)
    few = small.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(_IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
