"""Takes the pictures of a report's page: `python docs/draw_report.py REPORT.html [FOLDER]`, in headless Chromium.

`report.png` is the page with a unit, `report.gif` a drawing that the network follows, both for docs/pictures.
"""

import shutil
import sys
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path

from PIL import Image
from playwright.sync_api import FloatRect, Page, sync_playwright

WIDTH, HEIGHT = 1280, 780
STILL = 1200  # pixels of the page's height that are shown
FILM_WIDTH, COLORS, PAUSE = 760, 160, 560  # pixels and colors of the film, and milliseconds that a frame lasts
MOST_BYTES = 400_000
# lines of a pair of trousers, in shares of the canvas
TROUSERS = (
    ((0.32, 0.1), (0.68, 0.1)),
    ((0.68, 0.1), (0.72, 0.92)),
    ((0.64, 0.92), (0.58, 0.3)),
    ((0.64, 0.15), (0.66, 0.9)),
    ((0.32, 0.1), (0.28, 0.92)),
    ((0.36, 0.92), (0.42, 0.3)),
    ((0.36, 0.15), (0.34, 0.9)),
    ((0.36, 0.16), (0.64, 0.16)),
    ((0.38, 0.23), (0.62, 0.23)),
    ((0.4, 0.3), (0.6, 0.3)),
)
STOPS = 6  # places of the pen on a line


def main(report: Path, folder: Path) -> None:
    """Writes both pictures."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        _opened(page, f"file://{report.resolve()}#x/relu2/31")
        sides: FloatRect = {"x": 0, "y": 0, "width": WIDTH, "height": STILL}
        _save_still(page.screenshot(full_page=True, clip=sides), folder / "report.png")
        _opened(page, f"file://{report.resolve()}")
        frames = [_frame(page) for _ in _drawing(page)]
        browser.close()
    _save_film(frames, folder / "report.gif")


def _opened(page: Page, address: str) -> None:
    page.goto("about:blank")
    page.goto(address)
    page.locator("body[data-done]").wait_for()


def _drawing(page: Page) -> Iterator[None]:
    """Draws line by line on the empty canvas, and stops at each end, and once more at the end of all."""
    page.get_by_role("button", name="Clear").click()
    box = page.locator("canvas.pen").bounding_box()
    assert box is not None
    page.wait_for_timeout(500)
    for line in TROUSERS:
        places = [[a + (b - a) * i / STOPS for a, b in zip(*line, strict=True)] for i in range(STOPS + 1)]
        page.mouse.move(box["x"] + places[0][0] * box["width"], box["y"] + places[0][1] * box["height"])
        page.mouse.down()
        for _, (x, y) in pairwise(places):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        page.mouse.up()
        page.wait_for_timeout(200)
        yield
    page.wait_for_timeout(1500)
    yield


def _frame(page: Page) -> Image.Image:
    taken = Image.open(BytesIO(page.screenshot(clip={"x": 0, "y": 66, "width": WIDTH, "height": 690})))
    height = FILM_WIDTH * taken.height // taken.width
    return taken.convert("RGB").resize((FILM_WIDTH, height), Image.Resampling.LANCZOS)


def _save_still(taken: bytes, path: Path) -> None:
    """All colors stay: with a few hundred, the bright ends of color scales would have those of other things."""
    Image.open(BytesIO(taken)).convert("RGB").save(path, optimize=True)
    _check(path)


def _save_film(frames: list[Image.Image], path: Path) -> None:
    palette = frames[-1].quantize(COLORS, method=Image.Quantize.MAXCOVERAGE)
    reduced = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [PAUSE] * (len(frames) - 1) + [5 * PAUSE]
    reduced[0].save(path, save_all=True, append_images=reduced[1:], duration=durations, loop=0, optimize=True)
    _check(path)


def _check(path: Path) -> None:
    size = path.stat().st_size
    print(f"{path}: {size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"{path} has more than {MOST_BYTES:,} bytes.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "pictures")
