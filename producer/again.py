"""Find the images to judge again in the ledger, in place of a walk."""

import os
from collections.abc import Iterator, Sequence

from db.again import Condition, choose_verdicts
from db.ledger import Ledger
from db.listing import FoundImage
from fakesweep.uri import is_remote, path_of_uri, split_member

PAGE = 2000  # verdicts asked for at a time


def find_judged(ledger: Ledger, condition: Condition, paths: Sequence[str]) -> Iterator[FoundImage]:
    """Give the images whose latest verdict meets a condition, a page of them held at a time.

    No transaction stays open between pages. An image that is gone is given too: its row will say so.

    Raises:
        QueryRefused: The condition is wrong, or would do more than read.
    """
    after = 0
    while page := choose_verdicts(ledger, condition, paths, after=after, limit=PAGE):
        for chosen in page:
            yield _look(chosen.uri, chosen.record)
        after = page[-1].id


def _look(uri: str, record: str | None) -> FoundImage:
    if is_remote(uri) or split_member(uri) is not None:
        return FoundImage(uri, None, None, record=record)  # its row says what was found there
    try:
        facts = os.stat(path_of_uri(uri))  # noqa: PTH116
    except (OSError, ValueError):
        return FoundImage(uri, None, None, record=record)
    return FoundImage(uri, facts.st_size, facts.st_mtime, record=record)
