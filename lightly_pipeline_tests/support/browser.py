"""A headless Chromium for tests of pages: what it shows, what it asks of a network, what it says.

Debian's packages are `chromium` and `chromium-driver`; where one of them is absent, tests skip.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WIDE, NARROW = 1440, 390

Place = tuple[float, float]


_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def _browser() -> str | None:
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)


def missing() -> str | None:
    """Returns why there can be no browser, or None."""
    if _browser() and shutil.which("chromedriver"):
        return None
    return "no Chromium with its driver (Debian: apt-get install chromium chromium-driver)"


needs_browser = pytest.mark.skipif(missing() is not None, reason=missing() or "")


class Browser:
    """One window of a browser that is driven by a test."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path, *, width: int = WIDE, dark: bool = False) -> None:
        """Opens a file in a window of a width, in one of the two colour schemes."""
        self.show(width=width, dark=dark)
        self.complaints(), self.requests()  # are of the page before
        self.driver.get(page.as_uri())
        # On a busy machine the driver may come back before the page is there.
        here = f"location.href === {json.dumps(page.as_uri())}"
        self.wait(f"return {here} && document.readyState === 'complete'")

    def show(self, *, width: int = WIDE, dark: bool = False) -> None:
        """Gives the window a width and a colour scheme."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})

    def run(self, script: str, *arguments: Any) -> Any:
        """Returns what a script returns; `$` and `$$` find elements by selector."""
        helpers = (
            "const $ = (s) => document.querySelector(s);"
            "const $$ = (s) => [...document.querySelectorAll(s)];"
        )
        return self.driver.execute_script(helpers + script, *arguments)

    def find(self, selector: str) -> Any:
        """Returns the element of a selector."""
        return self.driver.find_element("css selector", selector)

    def scroll_to(self, selector: str) -> None:
        """Brings an element into the window, and waits for what is drawn only then."""
        self.run("$(arguments[0]).scrollIntoView({block: 'center'})", selector)

    def wait(self, script: str) -> Any:
        """Waits until a script returns something."""
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, 30).until(lambda _: self.run(script), script)

    def see_everything(self) -> None:
        """Scrolls to whatever is drawn only when it comes near, until all is."""
        self.wait(
            "const late = $$('.plot, #map-plot').filter((e) => !e.querySelector('svg'));"
            "if ($('#timeline-sort') && !$('.timeline')) late.push($('.timelines'));"
            "late[0]?.scrollIntoView({block: 'center'}); return !late.length || !$('main');"
        )
        self.run("window.scrollTo(0, 0)")

    def map_place(self, x: float, y: float) -> Place:
        """Returns where a part of the map's width and height is in the window."""
        place: Place = self.run(
            "const p = $('#map-plot'), b = p.getBoundingClientRect(), l = p._fullLayout;"
            "return [b.x + l.xaxis._offset + arguments[0] * l.xaxis._length,"
            " b.y + l.yaxis._offset + arguments[1] * l.yaxis._length]",
            x,
            y,
        )
        return place

    def map_point(self, trace: int, point: int) -> Place:
        """Returns where a point of the map is in the window; trace 1 holds the chosen frames."""
        place: Place = self.run(
            "const plot = $('#map-plot'), l = plot._fullLayout, t = plot.data[arguments[0]],"
            "box = plot.getBoundingClientRect(), i = arguments[1];"
            "return [box.x + l.xaxis._offset + l.xaxis.d2p(t.x[i]),"
            " box.y + l.yaxis._offset + l.yaxis.d2p(t.y[i])]",
            trace,
            point,
        )
        return place

    def point_at(self, *places: Place) -> None:
        """Moves the pointer over places of the window."""
        self._move(places, pressed=False)

    def drag(self, *places: Place) -> None:
        """Moves the pointer over places of the window with its button pressed."""
        self._move(places, pressed=True)

    def _move(self, places: Sequence[Place], *, pressed: bool) -> None:
        from selenium.webdriver.common.actions.action_builder import ActionBuilder
        from selenium.webdriver.common.actions.mouse_button import MouseButton

        actions = ActionBuilder(self.driver, duration=30)
        pointer = actions.pointer_action
        first, *rest = ((int(x), int(y)) for x, y in places)
        pointer.move_to_location(*first)
        if pressed:
            pointer.pointer_down(button=MouseButton.LEFT)
        for place in rest:
            pointer.move_to_location(*place)
        if pressed:
            pointer.pointer_up(button=MouseButton.LEFT)
        actions.perform()

    def keys(self, *keys: str) -> None:
        """Presses keys, wherever the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def faint_texts(self) -> list[Any]:
        """Returns contrast and element of texts that are harder to read than WCAG AA allows."""
        found: list[Any] = self.run(
            CONTRAST + "return $$('body *').filter((e) => e.checkVisibility() && !e.disabled"
            " && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))"
            ".filter((e) => !e.closest('script, style'))"
            ".map((e) => [getComputedStyle(e)[e.closest('svg') ? 'fill' : 'color'], e])"
            ".map(([c, e]) => [contrast(rgba(c), behind(e)), e.outerHTML.slice(0, 120)])"
            ".filter(([ratio]) => ratio < 4.5)"
        )
        return found

    def complaints(self) -> list[str]:
        """Returns what the console said, with everything that violated the page's policy."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Returns what was asked for since the last call, less pictures inside of the page."""
        events = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        urls = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith("data:")]


CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
function rgba(text) {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}
function behind(element) {
  for (let e = element; e; e = e.parentElement) {
    const colour = rgba(getComputedStyle(e).backgroundColor);
    if (colour[3] > 0.99) return colour;
  }
  return rgba(getComputedStyle(document.body).backgroundColor);
}
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
function contrast(one, other) {
  const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Starts a browser for as long as the context lasts."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = _browser() or ""
    for argument in ("--headless=new", "--disable-gpu", "--hide-scrollbars", "--no-first-run"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium has none for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
