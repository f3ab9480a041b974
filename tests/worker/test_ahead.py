"""Images are prepared ahead in order and grouped for the device; group pictures do not fill the memory."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from detector.views import View
from worker.ahead import AHEAD, prepare_ahead
from worker.prepare import PreparedImage

PIXELS = np.zeros((1, 1, 3), dtype=np.uint8)


def idle() -> None:
    pass


fours = partial(prepare_ahead, least_batch=4, device_batch=4, progress=idle)


def prepared_with(views: int):
    return lambda uri: PreparedImage(uri, views=[View("face", (0, 0, 1, 1), PIXELS)] * views)


@pytest.mark.parametrize("views", [0, 1, 16])
def test_images_come_in_order(views: int) -> None:
    uris = [str(number) for number in range(100)]

    with ThreadPoolExecutor(3) as pool:
        groups = list(fours(uris, partial(pool.submit, prepared_with(views))))

    assert [image.uri for group in groups for image in group] == uris


def test_a_group_takes_what_is_ready_and_waits_for_no_more_than_it_needs() -> None:
    futures: list[Future[PreparedImage]] = [Future() for _ in range(13)]
    prepare, progress = prepared_with(1), []

    groups = prepare_ahead(
        map(str, range(13)),
        lambda uri: futures[int(uri)],
        least_batch=2,
        device_batch=5,
        progress=lambda: progress.append(1),
    )
    sizes = []
    for ready in ((0, 1, 2), (3, 4, 5, 6, 7, 8, 9), (), (10, 11, 12)):
        for number in ready:
            futures[number].set_result(prepare(str(number)))
        sizes.append(len(next(groups)))

    assert sizes == [3, 5, 2, 3]
    assert len(progress) == 13
    assert list(groups) == []


@pytest.mark.parametrize(("views", "most_images"), [(1, 12), (16, 4)])
def test_what_waits_is_counted_in_views(views: int, most_images: int) -> None:
    taken = []
    uris = (taken.append(number) or str(number) for number in range(1000))

    with ThreadPoolExecutor(2) as pool:
        groups = fours(uris, partial(pool.submit, prepared_with(views)))
        given = 0
        while given < 200:
            given += len(next(groups))
            assert len(taken) - given <= most_images
        groups.close()

    assert AHEAD * 4 == 12


def test_threads_go_on_while_nobody_takes() -> None:
    taken: list[int] = []
    uris = (taken.append(number) or str(number) for number in range(1000))

    with ThreadPoolExecutor(2) as pool:
        groups = fours(uris, partial(pool.submit, prepared_with(1)))
        given = len(next(groups))
        began = time.monotonic()
        while len(taken) < given + AHEAD * 4 and time.monotonic() - began < 30:
            time.sleep(0.01)
        groups.close()

    assert len(taken) == given + AHEAD * 4


def test_images_not_begun_are_dropped_when_the_batch_is_given_up() -> None:
    begun = []
    go_on = threading.Event()

    def prepare(uri: str) -> PreparedImage:
        begun.append(uri)
        if uri != "0":
            go_on.wait(30)
        return prepared_with(1)(uri)

    with ThreadPoolExecutor(1) as pool:
        groups = prepare_ahead(
            map(str, range(50)),
            partial(pool.submit, prepare),
            least_batch=1,
            device_batch=8,
            progress=idle,
        )
        next(groups)
        groups.close()
        go_on.set()

    assert len(begun) <= 2
