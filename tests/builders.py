"""Builders of the values that many tests need."""

from collections.abc import Mapping

from pyrometer.values import NOT_SAMPLED, Frame, Profile, Sample, Stack


def a_stack(text: str) -> Stack:
    """Return a stack from ``"main;work;read"``, root first; each function lies in a file of its own."""
    return tuple(Frame(name, f"/srv/{name}.py", 10 * len(name)) for name in text.split(";"))


def values_of(stacks: Mapping[str, float]) -> dict[Stack, float]:
    return {a_stack(text): value for text, value in stacks.items()}


def a_profile(stacks: Mapping[str, int] | None = None, **changes) -> Profile:
    """Return a profile in which each stack was seen so many times, 10 ms of CPU each."""
    counts = {"main;work;read": 3, "main;work": 5, "main;idle": 1} if stacks is None else stacks
    samples = tuple(
        Sample(stack=a_stack(text), count=count, value=count * 10_000_000, thread_id=7, thread_name="worker")
        for text, count in counts.items()
    )
    fields = {
        "samples": samples,
        "start_unix_ns": 1_795_000_000_000_000_000,
        "duration_ns": 10_000_000_000,
        "period_ns": 10_000_000,
        "attributes": {"service.name": "shop", "process.pid": 4711},
    }
    return Profile(**(fields | changes))


def a_rich_profile() -> Profile:
    """Return a profile with two threads, accounted time that was never sampled, and names of every kind."""
    main = Frame("<module>", "/srv/app.py", 3)
    samples = (
        Sample(stack=(main, Frame("Cart.total", "/srv/cart.py", 41)), count=4, value=44_000_000, thread_id=7),
        Sample(
            stack=(main, Frame("Cart.total", "/srv/cart.py", 41), Frame("größe", "/srv/größe.py", 9)),
            count=2,
            value=21_000_000,
            thread_id=8,
            thread_name="pool-1",
        ),
        Sample(
            stack=(main, Frame("<script>alert(1)</script>&\u2028", "/srv/evil\u2029.py", 1)), count=1, value=9_000_000
        ),
        Sample(stack=(NOT_SAMPLED,), count=0, value=5_000_000),
    )
    return a_profile(samples=samples)
