"""Settings from `FAKESWEEP_*` variables and a TOML file: the only reader of the environment."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from platformdirs import user_config_path, user_data_path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from fakesweep.errors import SettingError

MIB = 1024 * 1024


class ScheduledScan(BaseModel):
    """A schedule in the TOML file: `[schedules.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cron: str = Field(description="Minute, hour, day of month, month, day of week.")
    sources: tuple[str, ...] = Field(min_length=1, description="What to scan.")
    priority: Literal["high", "bulk"] = Field(default="bulk", description="Queue of its batches.")


class Settings(BaseSettings):
    """All settings, checked once at start; a variable wins over the file, the file over a default."""

    model_config = SettingsConfigDict(
        env_prefix="FAKESWEEP_", extra="forbid", frozen=True, env_ignore_empty=True
    )

    data_dir: Path = Field(
        default_factory=lambda: user_data_path("fakesweep"),
        description="Folder of the embedded database and of published models.",
    )
    database_url: str = Field(
        default="",
        description="The ledger: `sqlite:////path/file.db` or `postgresql://user:password@host/name`."
        " Empty: `fakesweep.db` in the data folder.",
    )
    broker_url: str = Field(
        default="",
        description="Redis: `redis://[:password@]host:port/0` or `rediss://...`."
        " Empty: images are judged inside `fakesweep scan`.",
    )
    model_dir: Path = Field(
        default=Path(),
        description="The registry: folder of published model versions. Empty: `models` in the data folder.",
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="Views in one device batch. Empty: chosen for the device when a model is loaded.",
    )
    engine: Literal["auto", "openvino", "tensorflow"] = Field(
        default="auto",
        description="What computes the model: auto (TensorFlow on a GPU, else OpenVINO), openvino or tensorflow.",
    )
    message_images: int = Field(
        default=256, ge=1, le=4096, description="Images of one batch, which is one message."
    )
    high_water: int = Field(
        default=64, ge=1, le=100_000, description="Most batches waiting in the broker at a time."
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Threads of one process for decoding and for scoring. Empty: the processor cores it may use.",
    )
    lease_s: float = Field(
        default=120.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds without progress after which a claimed batch counts as lost."
        " One image must not take longer.",
    )
    tend_s: float = Field(
        default=5.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds between two looks after lost and unsent batches.",
    )
    yunet_file: Path | None = Field(
        default=None,
        description="ONNX file of YuNet, which then finds the faces. Empty: BlazeFace finds them.",
    )
    limit_px: int = Field(
        default=100_000_000,
        ge=1,
        description="Most pixels of an image; one above it is `too_large` and is not decoded.",
    )
    limit_bytes: int = Field(
        default=256 * MIB,
        ge=1,
        description="Most bytes of a file; one above it is `too_large` and is not read.",
    )
    reads: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="Most reads of one process from buckets and archives at a time.",
    )
    archive_members: int = Field(
        default=1_000_000,
        ge=1,
        description="Most members of an archive; one with more is `too_large` and is not opened.",
    )
    archive_bytes: int = Field(
        default=64 * 1024 * MIB,
        ge=1,
        description="Most bytes of an archive's members together; above it is `too_large`.",
    )
    archive_ratio: int = Field(
        default=200,
        ge=1,
        description="Most bytes that a byte of an archive unpacks to, once more than 256 MiB come out.",
    )
    archive_depth: int = Field(
        default=3, ge=1, le=16, description="Most archives inside each other that are opened."
    )
    task_time_limit_s: int = Field(
        default=1500,
        ge=10,
        le=1700,
        description="Seconds after which the process of a batch that does not end is killed"
        " (below the broker's visibility timeout of 1800).",
    )
    worker_memory_mb: int = Field(
        default=4096,
        ge=512,
        description="Megabytes above which a worker process is replaced after its batch.",
    )
    time_zone: str = Field(
        default="UTC", description="Time zone of cron lines, for example Europe/Berlin."
    )
    schedules: dict[str, ScheduledScan] = Field(
        default_factory=dict, description="Schedules by name; `fakesweep beat` begins their scans."
    )
    notify_url: str = Field(
        default="", description="Webhook that is told when a scan ends: `https://...`."
    )
    notify_secret: str = Field(
        default="", description="Key of the webhook's signature (HMAC-SHA256 of the body)."
    )
    notify_command: str = Field(
        default="", description="Command that is told when a scan ends, as JSON on standard input."
    )
    notify_on: str = Field(
        default="ended",
        pattern="^(ended|fakes|failed)(,(ended|fakes|failed))*$",
        description="Which ends are told: ended (all), fakes (some were found), failed (an image, or"
        " the listing); several separated by commas.",
    )
    log_level: str = Field(
        default="WARNING",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="Least level of the log lines on stderr: DEBUG, INFO, WARNING or ERROR.",
    )
    log_format: str = Field(
        default="text", pattern="^(text|json)$", description="Form of the log lines: text or json."
    )

    @field_validator("time_zone")
    @classmethod
    def _check_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("expected a name like UTC or Europe/Berlin") from error
        return name

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: str) -> str:
        scheme = urlsplit(url).scheme
        if url and scheme not in ("sqlite", "postgresql", "postgresql+psycopg"):
            raise ValueError("expected sqlite:////path/file.db or postgresql://user@host/name")
        if scheme == "sqlite" and not re.match("sqlite:///[^:]", url):
            raise ValueError("expected a file: sqlite:////absolute/path/file.db")
        if scheme.startswith("postgresql"):
            _check_port(url)
        return url

    @field_validator("notify_url")
    @classmethod
    def _check_notify_url(cls, url: str) -> str:
        if url and urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("expected https://host/path")
        _check_port(url)
        return url

    @field_validator("broker_url")
    @classmethod
    def _check_broker_url(cls, url: str) -> str:
        if url and urlsplit(url).scheme not in ("redis", "rediss", "redis+socket"):
            raise ValueError("expected redis://host:port/0 or rediss://host:port/0")
        _check_port(url)
        return url

    @model_validator(mode="after")
    def _place_in_data_dir(self) -> "Settings":
        if not self.database_url:
            if "?" in str(self.data_dir):
                raise ValueError("data_dir: a folder of a database must not have ? in its name")
            object.__setattr__(
                self, "database_url", f"sqlite:///{self.data_dir.absolute() / 'fakesweep.db'}"
            )
        if self.model_dir == Path():
            object.__setattr__(self, "model_dir", self.data_dir / "models")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the variables first, then the TOML file."""
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, toml_file=config_path()),
        )

    @property
    def notify_events(self) -> tuple[str, ...]:
        """Which ends are told."""
        return tuple(self.notify_on.split(","))

    @property
    def cpu_threads(self) -> int:
        """Threads one process may use, at least 1."""
        return self.threads or len(os.sched_getaffinity(0))


def _check_port(url: str) -> None:
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise ValueError(f"the port is no number from 0 to 65535 ({error})") from error


def config_path() -> Path:
    """Name the TOML file: `FAKESWEEP_CONFIG`, else `config.toml` in the user's configuration folder."""
    named = os.environ.get("FAKESWEEP_CONFIG")
    return Path(named) if named else user_config_path("fakesweep") / "config.toml"


def load_settings() -> Settings:
    """Read and check all settings.

    Raises:
        SettingError: A value is malformed, unknown in the file, or the file is missing or no TOML.
    """
    path = config_path()
    try:
        if os.environ.get("FAKESWEEP_CONFIG") and not path.is_file():
            raise SettingError(f"FAKESWEEP_CONFIG names no file: {path}")
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"the settings file {path} is not TOML: {error}") from error
    except OSError as error:
        raise SettingError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise SettingError(_describe(error.errors()[0], path)) from error


def _describe(problem: Any, path: Path) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "settings"
    variable = f"FAKESWEEP_{name.upper()}"
    where = variable if variable in os.environ else f"{name} in {path}"
    if problem["type"] == "extra_forbidden":
        return f"unknown setting {where}; the known ones: {', '.join(Settings.model_fields)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"bad setting {where}: {message}. Received: {mask_url(str(problem['input']))!r}"


def mask_url(url: str) -> str:
    """Replace the passwords of a URL by `***`, for messages and logs; it need not be well-formed."""
    masked = re.sub(r"^([a-z+]+://[^:/@]*):.*@", r"\1:***@", url, flags=re.DOTALL)
    return re.sub(r"(password=)[^&]*", r"\1***", masked)


def quiet_tensorflow() -> None:
    """Keep TensorFlow's start-up notices off stderr unless the user asked for them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
