"""The viewer, driven in a browser: what is clicked and typed changes the pixels that it should, and no others."""

import base64
import io
import time

import nibabel
import numpy as np
import pytest
from PIL import Image

from udeansr.report.view import write_view

PNG = "return document.querySelector(`canvas[data-view=${arguments[0]}]`).toDataURL()"


@pytest.fixture(scope="module")
def page(case, tmp_path_factory):
    return write_view(case["lr"], case["sr"], case["hr"], tmp_path_factory.mktemp("page") / "a.html")


def pixels(browser, view: str = "axial") -> np.ndarray:
    png = base64.b64decode(browser.execute_script(PNG, view).split(",")[1])
    return np.array(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def mode(browser, name: str) -> None:
    browser.execute_script(f"document.querySelector('[data-mode={name}]').click()")


def test_it_is_one_file_without_paths(page, case):
    text = page.read_text(encoding="utf-8")
    assert str(case["lr"].parent) not in text and "sub-10_T1w" in text


def test_swiping_shows_the_one_on_the_left_and_the_other_on_the_right(browse, page):
    browser = browse(page)
    browser.execute_script("viewer.split = 0.9; viewer.draw()")
    right = pixels(browser)
    browser.execute_script("viewer.split = 0.1; viewer.draw()")
    left = pixels(browser)
    changed = np.flatnonzero(np.any(left != right, axis=(0, 2)))
    side = len(left)
    assert changed.min() >= 0.1 * side - 3 and changed.max() <= 0.9 * side + 3
    mode(browser, "a")
    only_a = pixels(browser)
    mode(browser, "b")
    only_b = pixels(browser)
    within = slice(int(0.15 * side), int(0.85 * side))
    low = slice(int(0.1 * side), side)  # below the names of the layers
    np.testing.assert_array_equal(only_a[low, within], right[low, within])
    np.testing.assert_array_equal(only_b[low, within], left[low, within])
    assert np.mean(only_a != only_b) > 0.05


def test_flicker_shows_both_in_turn(browse, page):
    browser = browse(page)
    mode(browser, "flicker")
    seen, end = set(), time.monotonic() + 60
    while len(seen) < 2 and time.monotonic() < end:
        seen.add(pixels(browser).tobytes())
    mode(browser, "a")
    assert len(seen) == 2
    assert pixels(browser).tobytes() in seen


def test_the_crosshair_moves_all_planes_and_tells_place_and_values(browse, page, case):
    browser = browse(page)
    mode(browser, "b")
    before = {view: pixels(browser, view) for view in ("axial", "coronal", "sagittal")}
    browser.execute_script("viewer.at = [20, 30, 25]; viewer.draw()")
    assert all(np.any(pixels(browser, view) != seen) for view, seen in before.items())
    told = browser.execute_script("return document.querySelector('[data-part=place]').textContent").split()
    place = [float(told[i]) for i in (1, 3, 5)]
    image = nibabel.load(case["sr"])
    voxel = np.linalg.inv(image.affine) @ [*place, 1]
    index = np.rint(voxel[:3]).astype(int)
    np.testing.assert_allclose(voxel[:3], index, atol=0.1)
    rows = browser.execute_script(
        "return [...document.querySelectorAll('[data-part=values] tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText))"
    )
    values = {row[0]: float(row[1]) for row in rows}
    step = browser.execute_script("return viewer.byId('sr').step")
    for name in ("sr", "hr"):
        truth = nibabel.load(case[name]).get_fdata()[tuple(index)]
        assert values[name.upper()] == pytest.approx(truth, abs=0.51 * step + 0.6)
    assert values["SR less HR"] == pytest.approx(values["SR"] - values["HR"], abs=1.1)


def test_what_is_tricubic_here_is_what_the_package_calls_so(browse, page, case):
    from udeansr.image.files import read_volume
    from udeansr.image.grid import Scale, reorient, sr_geometry
    from udeansr.image.resampling import tricubic
    from udeansr.image.volume import Volume

    lr = read_volume(case["lr"])
    fine = Volume(tricubic(lr.voxels, Scale(2, 2, 2)), sr_geometry(lr.geometry, Scale(2, 2, 2)))
    expected = reorient(fine, "IPL")
    browser = browse(page)
    shown = browser.execute_script("return Array.from(plane(viewer.byId('tricubic'), VIEWS[0], 30, viewer.scene.grid))")
    shape, window, world = browser.execute_script(
        "const { grid, window, world } = viewer.scene; return [grid.shape, window, world]"
    )
    first_mm = np.array(world["origin"]) * (-1, -1, 1) - expected.geometry.origin_mm
    z, y, x = np.rint(np.asarray(expected.geometry.axes) @ first_mm / expected.geometry.spacing_mm).astype(int)
    part = expected.voxels[z + 30, y : y + shape[1], x : x + shape[2]]
    inside = (slice(4, -4), slice(4, -4))  # the page knows no more of LR than the crop
    shown = np.array(shown).reshape(shape[1:])
    np.testing.assert_allclose(shown[inside], part[inside], atol=0.006 * (window[1] - window[0]))


def test_the_window_is_the_same_for_all_and_leaves_maps_alone(browse, page):
    browser = browse(page)
    mode(browser, "b")
    bright = pixels(browser).mean()
    browser.execute_script(
        "const level = document.querySelector('[data-part=level]'); level.value = level.max;"
        "level.dispatchEvent(new Event('input'))"
    )
    assert pixels(browser).mean() < 0.9 * bright
    mode(browser, "a")
    assert browser.execute_script("return viewer.range(viewer.byId('lr')) === viewer.range(viewer.byId('hr'))")
    browser.execute_script("viewer.layer.a = 'sr-hr'; viewer.draw()")
    before = pixels(browser)
    browser.execute_script("viewer.setWindow(100, 50)")
    np.testing.assert_array_equal(pixels(browser), before)


def test_keys_and_mouse_do_what_is_promised(browse, page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser = browse(page)
    canvas = browser.find_element(By.CSS_SELECTOR, "canvas[data-view=axial]")
    at = browser.execute_script("return viewer.at")
    canvas.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_DOWN, Keys.PAGE_UP)
    assert browser.execute_script("return viewer.at") == [at[0] - 1, at[1] + 1, at[2] - 2]
    canvas.send_keys("b")
    assert browser.execute_script("return viewer.mode") == "b"
    canvas.send_keys("4")
    assert browser.execute_script("return viewer.layer.a") == "hr"
    far = pixels(browser)
    canvas.send_keys("+")
    assert browser.execute_script("return viewer.zoom") > 1
    assert np.any(pixels(browser) != far)
    canvas.send_keys("r")
    np.testing.assert_array_equal(browser.execute_script("return viewer.at"), at)
    ActionChains(browser).move_to_element_with_offset(canvas, 30, -40).click().perform()
    moved = browser.execute_script("return viewer.at")
    assert moved[0] == at[0] and moved[1] < at[1] and moved[2] > at[2] - 2


def test_letters_are_those_of_a_radiologist(browse, page):
    """The patient's right on the left; anterior up in axial slices, on the left in sagittal ones; head up."""
    browser = browse(page)
    browser.execute_script(
        "window.said = []; const old = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {"
        "  const { width, dataset } = this.canvas;"
        "  if (text.length === 1) said.push([dataset.view, text, x / width, y / width]);"
        "  old.call(this, text, x, y); }; viewer.draw()"
    )
    placed: dict[str, dict[str, str]] = {}
    for view, letter, x, y in browser.execute_script("return said"):
        side = "left" if x < 0.1 else "right" if x > 0.9 else "top" if y < 0.1 else "bottom"
        placed.setdefault(view, {})[side] = letter
    assert placed == {
        "axial": {"left": "R", "right": "L", "top": "A", "bottom": "P"},
        "coronal": {"left": "R", "right": "L", "top": "S", "bottom": "I"},
        "sagittal": {"left": "A", "right": "P", "top": "S", "bottom": "I"},
    }


@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen_in_light_and_dark(browse, page, width):
    browser = browse(page, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('#viewer canvas')].map((canvas) => canvas.getBoundingClientRect().width)"
    )
    assert min(sizes) > 340
    ground = "return getComputedStyle(document.body).backgroundColor"
    first = browser.execute_script(ground)
    browser.execute_script("document.getElementById('theme').click()")
    assert browser.execute_script(ground) != first
