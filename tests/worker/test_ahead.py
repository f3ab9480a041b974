"""Images are prepared ahead in order, and a row of group pictures does not fill the memory."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from detector.views import View
from worker.ahead import AHEAD, prepare_ahead
from worker.prepare import PreparedImage

PIXELS = np.zeros((1, 1, 3), dtype=np.uint8)


def prepared_with(views: int):
    return lambda uri: PreparedImage(uri, views=[View("face", (0, 0, 1, 1), PIXELS)] * views)


@pytest.mark.parametrize("views", [0, 1, 16])
def test_images_come_in_order(views: int) -> None:
    uris = [str(number) for number in range(100)]

    with ThreadPoolExecutor(3) as pool:
        images = list(
            prepare_ahead(uris, partial(pool.submit, prepared_with(views)), device_batch=4)
        )

    assert [image.uri for image in images] == uris


@pytest.mark.parametrize(("views", "most_images"), [(1, 12), (16, 4)])
def test_what_waits_is_counted_in_views(views: int, most_images: int) -> None:
    taken = []
    uris = (taken.append(number) or str(number) for number in range(1000))

    with ThreadPoolExecutor(2) as pool:
        images = prepare_ahead(uris, partial(pool.submit, prepared_with(views)), device_batch=4)
        for given in range(1, 200):
            next(images)
            assert len(taken) - given <= most_images
        images.close()

    assert AHEAD * 4 == 12


def test_threads_go_on_while_nobody_takes() -> None:
    taken: list[int] = []
    uris = (taken.append(number) or str(number) for number in range(1000))

    with ThreadPoolExecutor(2) as pool:
        images = prepare_ahead(uris, partial(pool.submit, prepared_with(1)), device_batch=4)
        next(images)
        began = time.monotonic()
        while len(taken) < AHEAD * 4 and time.monotonic() - began < 30:
            time.sleep(0.01)
        images.close()

    assert len(taken) in (AHEAD * 4, AHEAD * 4 + 1)


def test_images_not_begun_are_dropped_when_the_batch_is_given_up() -> None:
    begun = []
    go_on = threading.Event()

    def prepare(uri: str) -> PreparedImage:
        begun.append(uri)
        if uri != "0":
            go_on.wait(30)
        return PreparedImage(uri)

    with ThreadPoolExecutor(1) as pool:
        images = prepare_ahead(map(str, range(50)), partial(pool.submit, prepare), device_batch=8)
        next(images)
        images.close()
        go_on.set()

    assert len(begun) <= 2
