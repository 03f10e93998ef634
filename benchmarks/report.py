"""How soon a report's page answers: its first screen, the step to the next unit, and a stroke of the pen.

    python benchmarks/report.py REPORT.html [--repeats 20]

In headless Chromium, from what a person does to the frame after the page has drawn what follows.
"""

import argparse
import json
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

# notes the time of the frame after the page has said that a part is drawn
WATCH = """
window.drawn = {shown: [], detailed: [], done: []};
new MutationObserver((changes) => {
  const now = performance.now();
  for (const { attributeName } of changes) {
    const name = attributeName.slice(5);
    if (!(name in window.drawn)) continue;
    const entry = [now, null];
    window.drawn[name].push(entry);
    requestAnimationFrame(() => setTimeout(() => (entry[1] = performance.now())));
  }
}).observe(document, {subtree: true, attributes: true, attributeFilter: ["data-shown", "data-detailed", "data-done"]});
"""
DONE = "() => window.drawn.done.at(-1)?.[1]"
DRAWN = "([name, count]) => window.drawn[name][count]?.[1]"
FIRST = "() => window.drawn.shown[0][1]"
BARS = {"first screen": 1000, "next unit": 50, "stroke": 100}  # milliseconds


def main() -> None:
    """Prints a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    address = f"file://{options.page.resolve()}"
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        found = {"first screen": [], "next unit": [], "stroke": []}
        for _ in range(max(3, options.repeats // 4)):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.add_init_script(WATCH)
            page.goto(address)
            _until(page, DONE)
            found["first screen"].append(page.evaluate(FIRST))
            page.close()
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(WATCH)
        page.goto(address)
        _until(page, DONE)
        found["next unit"] = units(page, options.repeats)
        found["stroke"] = strokes(page, options.repeats)
        browser.close()
    for name, times in found.items():
        middle, high = statistics.median(times), sorted(times)[int(0.9 * (len(times) - 1))]
        print(f"{name:14} median {middle:7.1f} ms   9 in 10 below {high:7.1f} ms   bar {BARS[name]} ms")
    print(json.dumps({name: [round(time, 1) for time in times] for name, times in found.items()}))


def units(page: Page, repeats: int) -> list[float]:
    """Milliseconds from the arrow key to the next unit's page, of a convolution in the middle of the network."""
    for _ in range(4):
        page.keyboard.press("]")
        page.wait_for_timeout(300)
    return [
        _after(page, "detailed", lambda: page.keyboard.press("ArrowRight"), "keydown", 300) for _ in range(repeats)
    ][1:]


def strokes(page: Page, repeats: int) -> list[float]:
    """Milliseconds from a move of the pen to all maps of the strip."""
    box = page.locator("canvas.pen").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    places = [(box["x"] + 20 + 4 * i % 100, box["y"] + 30 + 7 * i % 90) for i in range(repeats)]
    times = [_after(page, "shown", lambda at=at: page.mouse.move(*at), "pointermove", 20) for at in places]
    page.mouse.up()
    return times[1:]


def _after(page: Page, name: str, act: Callable[[], object], event: str, pause: int) -> float:
    """Milliseconds from the event to the frame after the part was drawn."""
    page.evaluate(
        "event => { window.began = null; addEventListener(event, () => (window.began ??= performance.now()), "
        "{capture: true, once: true}); }",
        event,
    )
    count = page.evaluate("name => window.drawn[name].length", name)
    act()
    ended = _until(page, DRAWN, [name, count]) - page.evaluate("() => window.began")
    page.wait_for_timeout(250)
    return float(ended)


def _until(page: Page, asked: str, given: object = None) -> float:
    """What the page answers as soon as it is not nothing; its policy forbids Playwright's own way to wait."""
    while (found := page.evaluate(asked, given)) is None:
        page.wait_for_timeout(5)
    return float(found)


if __name__ == "__main__":
    main()
