"""Moments as people write them: an age like 30d, or a date."""

import re
from datetime import UTC, datetime, timedelta

from fakesweep.errors import SettingError

AGE = re.compile(r"(\d{1,5})([hdw])")
HOURS = {"h": 1, "d": 24, "w": 168}


def parse_moment(said: str, option: str) -> datetime:
    """Read an age before now, or a date.

    Raises:
        SettingError: It is neither.
    """
    age = AGE.fullmatch(said.strip().lower())
    try:
        if age:
            return datetime.now(UTC) - timedelta(hours=int(age[1]) * HOURS[age[2]])
        given = datetime.fromisoformat(said)
    except (ValueError, OverflowError) as error:
        raise SettingError(
            f"{option}: expected an age like 12h, 30d or 4w, or a date. Received: {said!r}"
        ) from error
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given
