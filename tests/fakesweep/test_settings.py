"""Settings are checked at start, and no secret is ever printed."""

from pathlib import Path

import pytest

from fakesweep.errors import SettingError
from fakesweep.settings import load_settings, mask_url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@host/name",
        "postgresql://user:s/secret@host/name",
        "redis://:pa#ss-secret@host:6379/0",
        "redis://:secr@secret@host:6379/0",
        "postgresql://host/name?user=u&password=secret",
    ],
)
def test_a_password_is_masked_wherever_it_stands(url: str) -> None:
    assert "secret" not in mask_url(url)
    assert "host" in mask_url(url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEASE_S", "inf"),
        ("TEND_S", "0"),
        ("BATCH_SIZE", "0"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "postgresql://host:port/name"),
        ("BROKER_URL", "http://host"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"FAKESWEEP_{name}", value)

    with pytest.raises(SettingError, match=f"FAKESWEEP_{name}") as caught:
        load_settings()

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"batch_size = ", b"unknown = 1", b"\xff\xfe"])
def test_a_wrong_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    monkeypatch.setenv("FAKESWEEP_CONFIG", str(file))

    with pytest.raises(SettingError, match=r"settings\.toml"):
        load_settings()
