"""What cloud a machine is rented from, and as what: as cloud-init left it in a file. No address is asked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from agent.procfs import read_start
from pyrometer import semconv

# Source: cloud-init, "Instance metadata"; anybody may read this file, secrets are taken out of it.
INSTANCE_DATA: Final = Path("/run/cloud-init/instance-data.json")
_BYTES_MAX: Final = 1_048_576
_CHARS_MAX: Final = 256
# cloud-init's names of clouds -> those of the conventions, where they differ.
_PROVIDERS: Final = {"gce": "gcp", "aliyun": "alibaba_cloud", "oracle": "oracle_cloud"}
# Where a type of machine stands: EC2 and what imitates it, Azure.
_TYPES: Final = (
    ("ds", "meta_data", "instance-type"),
    ("ds", "meta_data", "instance_type"),
    ("ds", "meta_data", "imds", "compute", "vmSize"),
)


def read_cloud(path: Path = INSTANCE_DATA) -> dict[str, str]:
    """Return provider, region and type of the machine as resource attributes; what is not known is left out."""
    try:
        document = msgspec.json.decode(read_start(str(path), _BYTES_MAX))
    except (msgspec.MsgspecError, RecursionError):
        return {}
    provider = _text(document, ("v1", "cloud_name"))
    found = {
        semconv.CLOUD_PROVIDER: _PROVIDERS.get(provider, provider),
        semconv.CLOUD_REGION: _text(document, ("v1", "region")),
        semconv.HOST_TYPE: next((text for place in _TYPES if (text := _text(document, place))), ""),
    }
    return {key: value for key, value in found.items() if value}


def _text(document: Any, place: tuple[str, ...]) -> str:
    for name in place:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document[:_CHARS_MAX] if isinstance(document, str) else ""
