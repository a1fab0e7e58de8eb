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
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB"), float)


def is_picture(seen: np.ndarray) -> bool:
    """Not blank, not one colour."""
    return min(seen.shape[:2]) > 50 and seen.std() > 10 and len(np.unique(seen.reshape(-1, 3), axis=0)) > 50


def differs(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two pictures, of whatever size, are clearly not the same one."""
    return a.shape != b.shape or np.abs(a - b).mean() > 3
