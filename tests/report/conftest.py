"""A headless Chromium without a network, and a small case to show in it."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from udeansr.image.files import read_volume, write_volume
from udeansr.image.grid import Scale, sr_geometry
from udeansr.image.resampling import tricubic
from udeansr.image.volume import Volume

EXAMPLE = Path(__file__).parents[2] / "udeansr_raw_example" / "Dataset001_BrainT1w"
PROGRAMS = ("chromium", "chromedriver")
READY_S = 30


@pytest.fixture(scope="session")
def _chromium() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install -e .[dev]")
    browser, driver = (shutil.which(name) for name in PROGRAMS)
    if browser is None or driver is None:
        pytest.skip("there is no Chromium to drive: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    opened.execute_cdp_cmd("Network.enable", {})
    off = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    opened.execute_cdp_cmd("Network.emulateNetworkConditions", off)
    yield opened
    opened.quit()


@pytest.fixture
def browse(_chromium) -> Callable[..., Any]:
    """Opens a page of the disk at a width and waits until it is ready; nothing is on the console."""

    def open_(page: Path, width: int = 1280, height: int = 900) -> Any:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        _chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        _chromium.get_log("browser")  # of the page before
        _chromium.get(page.resolve().as_uri())
        begun = time.monotonic()
        while _chromium.execute_script("return document.documentElement.dataset.ready") != "true":
            assert time.monotonic() - begun < READY_S, _chromium.get_log("browser")
            time.sleep(0.02)
        assert _chromium.get_log("browser") == []
        return _chromium

    return open_


@pytest.fixture(scope="session")
def case(tmp_path_factory) -> dict[str, Path]:
    """LR and HR of the example, in folders of their own, and an SR between tricubic interpolation and HR."""
    folder, name = tmp_path_factory.mktemp("case"), "sub-10_T1w.nii.gz"
    paths = {kind: folder / kind / name for kind in ("lr", "sr", "hr")}
    lr, hr = read_volume(EXAMPLE / "testLR" / name), read_volume(EXAMPLE / "testHR" / name)
    scale = Scale(2, 2, 2)
    between = (0.3 * tricubic(lr.voxels, scale) + 0.7 * hr.voxels).astype(np.float32)
    write_volume(lr, paths["lr"])
    write_volume(hr, paths["hr"])
    write_volume(Volume(between, sr_geometry(lr.geometry, scale)), paths["sr"])
    return paths
