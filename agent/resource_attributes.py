"""Attributes as OTEL_RESOURCE_ATTRIBUTES gives them; hostile text, bounded."""

from urllib.parse import unquote

ATTRIBUTES_MAX = 64
KEY_CHARS_MAX = 256
VALUE_CHARS_MAX = 1024


def parse_resource_attributes(text: str) -> dict[str, str]:
    """
    Parse ``key=value,key=value``, percent-decoded; entries that are not pairs are left out, the rest is bounded.

    Source: OpenTelemetry specification, resource SDK, "Specifying resource information via an environment variable".
    """
    found: dict[str, str] = {}
    for entry in text.split(","):
        key, separator, value = entry.partition("=")
        name = unquote(key.strip())
        if separator and name and len(name) <= KEY_CHARS_MAX and len(found) < ATTRIBUTES_MAX:
            found[name] = unquote(value.strip())[:VALUE_CHARS_MAX]
    return found
