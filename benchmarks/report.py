"""Pages of udeansr_report in headless Chromium: how long they take to open, how large they are, and pictures of them.

Times run from the call to three planes drawn; the network is off. Needs chromium and chromium-driver (Debian) and
selenium (the dev extra).
"""

from __future__ import annotations

import argparse
import io
import shutil
import time
from pathlib import Path
from typing import Any

from PIL import Image

WIDTHS = {1280: 900, 390: 844}
COLOURS = 256
"""Of a picture: a third of the bytes."""


def chromium() -> Any:
    """A browser without a window and without a network."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{word}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    browser.execute_cdp_cmd("Network.enable", {})
    off = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", off)
    return browser


def opened(browser: Any, page: Path, width: int, height: int) -> float:
    """Open a page; seconds until its planes are drawn."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get("about:blank")
    begun = time.monotonic()
    browser.get(page.resolve().as_uri())
    while browser.execute_script("return document.documentElement.dataset.ready") != "true":
        time.sleep(0.01)
    return time.monotonic() - begun


def main() -> None:
    """Print size and times; write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="an HTML file of ours")
    parser.add_argument("-o", "--output", type=Path, help="folder for a picture at each width: NAME_1280.png, ...")
    parser.add_argument("--name", help="NAME of the pictures [default: of the page]")
    parser.add_argument("--times", type=int, default=5, help="how often it is opened")
    parser.add_argument("--script", default="", help="JavaScript to run before the picture, such as viewer.setZoom(2)")
    arguments = parser.parse_args()
    browser = chromium()
    try:
        for width, height in WIDTHS.items():
            seconds = sorted(opened(browser, arguments.page, width, height) for _ in range(arguments.times))
            print(f"{width} pixels wide: opens in {seconds[len(seconds) // 2]:.2f} s (median of {arguments.times})")
            if arguments.output is not None:
                browser.execute_script(arguments.script)
                arguments.output.mkdir(parents=True, exist_ok=True)
                time.sleep(0.3)
                picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
                small = picture.quantize(COLOURS, dither=Image.Dither.NONE)
                small.save(arguments.output / f"{arguments.name or arguments.page.stem}_{width}.png", optimize=True)
        print(
            f"{arguments.page.stat().st_size / 1e6:.1f} MB; on the console: {browser.get_log('browser') or 'nothing'}"
        )
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
