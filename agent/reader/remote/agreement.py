"""What two looks at a stack agree on."""

import operator

from agent.reader.remote.walk import Walk


def agreed(walk: Walk, other: Walk | None) -> Walk | None:
    """Return the first with as much of its root as both agree on, or None where there is no other."""
    if other is None:
        return None
    size, other_size = len(walk.codes), len(other.codes)
    common = 0
    while common < min(size, other_size):
        mine, others = size - 1 - common, other_size - 1 - common
        if walk.codes[mine] is not other.codes[others] or walk.addresses[mine] != other.addresses[others]:
            break
        common += 1
    return Walk(
        walk.codes,
        walk.instructions,
        walk.addresses,
        size - common,
        walk.running,
        walk.path,
        walk.scattered,
        walk.truncated,
    )


def same(walk: Walk, other: Walk) -> bool:
    """Return whether both saw the same stack, the other one as long as it took."""
    mine, others = (walk.addresses, walk.instructions), (other.addresses, other.instructions)
    return other.bracketed and mine == others and all(map(operator.is_, walk.codes, other.codes))


def certain_frames(walk: Walk) -> int:
    """Return how many frames of the root part did not change meanwhile."""
    return len(walk.codes) - walk.moved
