"""As a reader does it: lesson 00 and the slider of lesson 02 in JupyterLab, in a browser."""

import nbformat
from looking import differs, is_picture, pixels, waiting

LONG = 300_000  # milliseconds; a busy machine is no error


def run_all(page, lesson) -> None:
    """Open a notebook, run all of its cells by the menu and save it; no cell may fail."""
    page.goto(lesson.address)
    page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=LONG)  # else it asks for a kernel
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="busy"]').wait_for()

    def done() -> bool:
        page.keyboard.press("Control+s")
        page.wait_for_timeout(1000)
        cells = code(lesson)
        return bool(cells) and all(c.execution_count for c in cells)

    waiting(done, LONG / 1000, "the cells do not come to an end")
    failed = [o.evalue for c in code(lesson) for o in c.outputs if o.output_type == "error"]
    assert not failed, failed


def code(lesson):
    """The code cells of the saved notebook; none while it is being saved."""
    try:
        return [c for c in nbformat.read(lesson.path, 4).cells if c.cell_type == "code"]
    except nbformat.reader.NotJSONError:
        return []


def drag(page, handle, right: int) -> None:
    """Take a slider's handle with the mouse, `right` pixels to the right."""
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y, steps=8)
    page.mouse.up()


def test_lesson_00_runs_and_a_prompt_becomes_pictures(page, lab):
    run_all(page, lab("00"))
    shown = page.locator(".jp-OutputArea-output.jp-RenderedImage img")
    assert shown.count() >= 5
    for image in shown.all():
        image.scroll_into_view_if_needed()
        assert is_picture(pixels(image)), image.get_attribute("alt")
    asked = page.locator(".jp-OutputArea-output", has=page.get_by_role("button", name="Make flowers"))
    asked.scroll_into_view_if_needed()
    asked.locator("input[type=text]").first.fill("a yellow dandelion")
    page.keyboard.press("Enter")
    picture = asked.locator("img")
    picture.wait_for(timeout=LONG)
    noise = pixels(picture)
    asked.get_by_text("drag the slider back to the noise").wait_for(timeout=LONG)
    flowers = pixels(picture)
    assert is_picture(noise) and is_picture(flowers) and differs(noise, flowers)
    drag(page, asked.locator(".noUi-handle"), -450)
    waiting(lambda: differs(pixels(picture), flowers), 60, "the slider does not lead back to the noise")


def test_the_slider_of_lesson_02_changes_the_picture(page, lab):
    run_all(page, lab("02", "browse("))
    output = page.locator(".jp-OutputArea-output", has=page.locator(".noUi-handle"))
    output.scroll_into_view_if_needed()
    dahlia = pixels(output.locator("img"))
    drag(page, output.locator(".noUi-handle"), 200)
    waiting(lambda: differs(pixels(output.locator("img")), dahlia), 60, "the picture does not follow the slider")
    assert is_picture(dahlia) and is_picture(pixels(output.locator("img")))
