"""What the exporters write is kept in tests/golden: a change of a byte is a decision."""

import os
from pathlib import Path

import pytest

from pyrometer.formats import Format, encode_profile
from tests.builders import a_rich_profile

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize(
    ("fmt", "name"),
    [
        (Format.COLLAPSED, "profile.collapsed"),
        (Format.SPEEDSCOPE, "profile.speedscope.json"),
        (Format.OTLP, "profile.otlp.hex"),
    ],
)
def test_exports_are_what_they_were(fmt, name, monkeypatch):
    """Readers of old files and other versions of the collector depend on these bytes; our version is not part of it."""
    for module in ("otlp_encode", "speedscope"):
        monkeypatch.setattr(f"pyrometer.formats.{module}.__version__", "0.0.0")
    written = encode_profile(a_rich_profile(), fmt, "golden")
    if fmt is Format.OTLP:
        written = (written.hex("\n", 32) + "\n").encode()
    path = GOLDEN / name
    if os.environ.get("PYROMETER_RENEW_GOLDEN"):
        path.write_bytes(written)
    assert written == path.read_bytes()
