"""Which line each instruction of a code object belongs to."""


def decode_linetable(table: bytes, first_line: int) -> tuple[list[int], list[int]]:
    """
    Decode a ``co_linetable``.

    Args:
        table: As in the code object; what is cut off or malformed ends the result early.
        first_line: ``co_firstlineno``.

    Returns:
        For each entry where it ends, in code units, and its line, 0 for none.

    Source: CPython, Objects/locations.md ("The locations table").
    """
    ends: list[int] = []
    lines: list[int] = []
    position = end = 0
    line = first_line
    size = len(table)

    def variable() -> int:
        nonlocal position
        value = shift = 0
        while position < size:
            byte = table[position]
            position += 1
            value |= (byte & 63) << shift
            if not byte & 64:
                break
            shift += 6
        return value

    def signed() -> int:
        value = variable()
        return -(value >> 1) if value & 1 else value >> 1

    while position < size:
        first = table[position]
        position += 1
        kind = first >> 3 & 15
        shown = 0
        if kind == 14:  # noqa: PLR2004 (long form)
            line += signed()
            variable()
            variable()
            variable()
            shown = line
        elif kind == 13:  # noqa: PLR2004 (no columns)
            line += signed()
            shown = line
        elif kind >= 10 and kind != 15:  # noqa: PLR2004 (one line, with columns; 15 has no location)
            line += kind - 10
            position += 2
            shown = line
        elif kind != 15:  # noqa: PLR2004 (short form)
            position += 1
            shown = line
        end += (first & 7) + 1
        ends.append(end)
        lines.append(max(shown, 0))
    return ends, lines
