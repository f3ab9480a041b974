"""Every error of fakesweep, in one tree.

FakesweepError                  one line for the user; the command exits with 2
├── SettingError                a setting is missing, malformed or contradicts another
├── SourceError                 a source does not exist, may not be read or holds no image
│   └── NothingToJudge          no latest verdict meets the condition of a rescan
├── LedgerError                 the database refuses, is too old, too new or out of reach
│   ├── UnknownScan             no scan of that number
│   └── QueryRefused            the SQL is not a reading statement, or the database rejects it
├── BrokerError                 the broker is out of reach or not configured
├── ModelError                  a model version is unknown, altered, incomplete or unfit
├── TrainingError               the training data or a training run cannot be used
└── ImageError                  why one image has no verdict: data on its row, never fatal to a batch
    ├── UnreadableImage         `unreadable`   empty, truncated, damaged or no image at all
    ├── UnsupportedImage        `unsupported`  a format or variant that is not decoded
    ├── ImageTooLarge           `too_large`    more pixels or bytes than the limits allow
    ├── MissingImage            `missing`      gone since it was listed
    ├── ForbiddenImage          `forbidden`    the file may not be read
    ├── EncryptedImage          `encrypted`    a member of an archive that asks for a password
    ├── UnreachableImage        `unreachable`  the storage did not answer; `resume` tries it again
    ├── CrashedImage            `crashed`      it ended every worker process that tried it
    └── InternalImageError      `internal`     an unexpected failure, logged with its traceback
"""


def one_line(error: BaseException) -> str:
    """Put what another library says on one line of at most 200 characters."""
    return " ".join(str(error).split())[:200] or type(error).__name__


class FakesweepError(Exception):
    """Base of all errors that a user can meet; its text is one complete line."""


class SettingError(FakesweepError):
    """A setting is missing, malformed or contradicts another."""


class SourceError(FakesweepError):
    """A source does not exist, may not be read or holds no image."""


class NothingToJudge(SourceError):
    """No latest verdict meets the condition of a rescan."""


class LedgerError(FakesweepError):
    """The database refuses, is too old, too new or out of reach."""


class UnknownScan(LedgerError):
    """No scan of that number is in the ledger."""


class QueryRefused(LedgerError):
    """The SQL is not a reading statement, or the database rejects it."""


class BrokerError(FakesweepError):
    """The broker is out of reach or not configured."""


class ModelError(FakesweepError):
    """A model version is unknown, altered, incomplete or unfit."""


class TrainingError(FakesweepError):
    """The training data or a training run cannot be used."""


class ImageError(FakesweepError):
    """Why one image has no verdict; `code` is what its row records."""

    code = "internal"


class UnreadableImage(ImageError):
    """The bytes are empty, truncated, damaged or no image."""

    code = "unreadable"


class UnsupportedImage(ImageError):
    """The format, or this variant of it, is not decoded."""

    code = "unsupported"


class ImageTooLarge(ImageError):
    """The image has more pixels or bytes than the limits allow."""

    code = "too_large"


class MissingImage(ImageError):
    """The file is gone since it was listed."""

    code = "missing"


class ForbiddenImage(ImageError):
    """The file may not be read."""

    code = "forbidden"


class EncryptedImage(ImageError):
    """The member of an archive is encrypted."""

    code = "encrypted"


class UnreachableImage(ImageError):
    """The storage did not answer, however often it was asked."""

    code = "unreachable"


class CrashedImage(ImageError):
    """The image ended every worker process that tried it."""

    code = "crashed"


class InternalImageError(ImageError):
    """An unexpected failure, logged with its traceback."""

    code = "internal"


ERROR_CODES = {
    kind.code: (kind.__doc__ or "").rstrip(".")
    for kind in (
        UnreadableImage,
        UnsupportedImage,
        ImageTooLarge,
        MissingImage,
        ForbiddenImage,
        EncryptedImage,
        UnreachableImage,
        CrashedImage,
        InternalImageError,
    )
}
