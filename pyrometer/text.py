"""Hostile text on its way to a terminal or a log line."""

# Longer than any sensible name; what is cut is marked.
SHOWN_LENGTH_MAX = 500


def printable(text: str, limit: int = SHOWN_LENGTH_MAX) -> str:
    r"""
    Return text in which nothing can steer a terminal: what does not print becomes ``\x1b`` or ``\u202e``.

    Line breaks, escape sequences, the C1 controls, bidirectional overrides and lone surrogates are all in that class
    (`str.isprintable`); a backslash stays as it is.

    Args:
        text: Anything.
        limit: Most characters to return; a longer text is cut and ends in an ellipsis.
    """
    escaped = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text[:limit]
    )
    return escaped if len(escaped) <= limit and len(text) <= limit else f"{escaped[: limit - 1]}…"
