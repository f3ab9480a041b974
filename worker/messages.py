"""The one message: a batch and its images, as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

QUEUES = ("high", "bulk")  # in the order in which a worker empties them


@dataclass(frozen=True)
class BatchMessage:
    """What a worker is asked to judge; the ledger, not the message, says what is still open."""

    batch_id: int
    scan_id: int
    model_version: str
    images: list[str]

    def to_json(self) -> dict[str, Any]:
        """Turn into what JSON can carry."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "BatchMessage":
        """Read what `to_json` wrote; unknown fields of a newer producer are passed over.

        Raises:
            ValueError: A field is missing.
        """
        missing = [name for name in cls.__dataclass_fields__ if name not in fields]
        if missing:
            raise ValueError(f"batch message without {', '.join(missing)}: {sorted(fields)}")
        return cls(**{name: fields[name] for name in cls.__dataclass_fields__})
