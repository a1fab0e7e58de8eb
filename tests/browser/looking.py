"""What a reader sees in the browser, as numbers."""

import io
import time

import numpy as np
import pytest
from PIL import Image


def waiting(until, seconds: float, otherwise: str):
    """What `until` returns, as soon as that is true."""
    end = time.monotonic() + seconds
    while not (found := until()):
        if time.monotonic() > end:
            pytest.fail(otherwise)
        time.sleep(0.2)
    return found


def pixels(locator) -> np.ndarray:
    """What a reader sees of an element: (H, W, 3), 0 to 255."""
    from playwright.sync_api import Error  # here: without playwright the tests should be collected, and skip

    def shot():
        try:
            return locator.screenshot()
        except Error as e:  # a widget puts a new image in place of the one that is being looked at
            if "not attached" not in str(e):
                raise

    seen = waiting(shot, 30, "the picture does not come to rest")
    return np.asarray(Image.open(io.BytesIO(seen)).convert("RGB"), float)


def is_picture(seen: np.ndarray) -> bool:
    """Not blank, not one colour."""
    return min(seen.shape[:2]) > 50 and seen.std() > 10 and len(np.unique(seen.reshape(-1, 3), axis=0)) > 50


def differs(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two pictures, of whatever size, are clearly not the same one."""
    return a.shape != b.shape or np.abs(a - b).mean() > 3
