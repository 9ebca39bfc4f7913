"""The pages of an asset with many partitions in Dagster's UI: how long they take, and a picture.

    python -m benchmarks.partition_page [--videos 20000] [--videos-per-partition N] PICTURES

Fills an instance, starts a webserver and Chromium, and opens what a person would.
"""

import argparse
import base64
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.filled_instance import fill, videos
from lightly_pipeline.datasets import load_datasets
from lightly_pipeline_tests.support.browser import Browser, chromium
from lightly_pipeline_tests.support.dagster_server import running_dagster

_PAGES = {
    "overview": ("assets/bench/video_frames?view=overview", "latest materialization"),
    "partitions": ("assets/bench/video_frames?view=partitions", "00000"),
    "lineage": ("asset-groups/", "frame_embeddings"),
}
_SETTLE_S, _MAX_S = 3.0, 120.0


def main() -> None:
    """Prints seconds until each page shows what it is about, and what that costs the servers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--videos", type=int, default=20_000)
    parser.add_argument("--videos-per-partition", type=int)
    options = parser.parse_args()
    options.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        size = options.videos_per_partition
        batches = f", videos_per_partition: {size}" if size else ""
        (base / "in").mkdir()
        (base / "out").mkdir()
        file = base / "datasets.yaml"
        file.write_text(f"datasets: {{bench: {{input: in, lightly: out{batches}}}}}\n")
        (dataset,) = load_datasets(file)
        with running_dagster(base / "home", file) as dagster:
            with dg.DagsterInstance.from_config(str(base / "home")) as instance:
                fill(instance, dataset, videos(options.videos))
            with chromium() as browser:
                _open_all(browser, dagster.url, options.pictures, _Servers(base / "home"))


def _open_all(browser: Browser, url: str, pictures: Path, servers: "_Servers") -> None:
    browser.show()
    for name, (page, text) in _PAGES.items():
        cpu_s, started = servers.cpu_s(), time.monotonic()
        browser.driver.get(f"{url}/{page}")
        _until(browser, f"return document.body.innerText.toLowerCase().includes('{text}')")
        seconds = time.monotonic() - started
        time.sleep(_SETTLE_S)
        print(f"{name:12}{seconds:7.1f} s, {servers.cpu_s() - cpu_s:6.1f} CPU s of the servers")
        _picture(browser, pictures / f"{name}.png")
        if name == "partitions":
            _look_for_one(browser, pictures)


def _look_for_one(browser: Browser, pictures: Path) -> None:
    """Filters the partitions for the last video, and opens it."""
    started = time.monotonic()
    browser.find('input[placeholder^="Filter by name"]').send_keys("19999")
    _until(browser, "return document.body.innerText.includes('19999.mp4')")
    print(f"{'filtered':12}{time.monotonic() - started:7.1f} s")
    started = time.monotonic()
    browser.run(
        "const leaves = $$('div').filter((e) => !e.children.length);"
        "leaves.filter((e) => e.textContent.includes('19999.mp4')).pop().click()"
    )
    _until(browser, "return document.body.innerText.includes('frames_per_s')")
    print(f"{'one opened':12}{time.monotonic() - started:7.1f} s")
    _picture(browser, pictures / "one.png")


def _until(browser: Browser, script: str) -> Any:
    deadline = time.monotonic() + _MAX_S
    while not (answer := browser.run(script)):
        if time.monotonic() > deadline:
            print(f"not within {_MAX_S:g} s: {script}")
            return None
        time.sleep(0.1)
    return answer


class _Servers:
    """The processes of one instance: webserver, code server, daemon.

    Args:
        home: DAGSTER_HOME of the instance.
    """

    def __init__(self, home: Path) -> None:
        self._mark = f"DAGSTER_HOME={home}".encode()

    def cpu_s(self) -> float:
        """Returns what they have used so far."""
        total = 0
        for folder in Path("/proc").iterdir():
            try:
                is_one = folder.name.isdigit() and self._mark in (folder / "environ").read_bytes()
                if is_one and b"dagster" in (folder / "cmdline").read_bytes():
                    fields = (folder / "stat").read_text().rpartition(")")[2].split()
                    total += int(fields[11]) + int(fields[12])
            except OSError:
                continue
        return total / os.sysconf("SC_CLK_TCK")


def _picture(browser: Browser, path: Path) -> None:
    shot = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {})["data"]
    path.write_bytes(base64.b64decode(shot))


if __name__ == "__main__":
    main()
