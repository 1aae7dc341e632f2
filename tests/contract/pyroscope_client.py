"""A program that Pyroscope's SDK profiles, as its documentation has it: busy in one function until it is stopped."""

import sys
import time

import pyroscope


def burn_in_pyroscope() -> int:
    return sum(number * number for number in range(20_000))


if __name__ == "__main__":
    pyroscope.configure(
        application_name="pyroscope-shop",
        server_address=sys.argv[1],
        tags={"version": "1.2.3", "region": "eu"},
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        burn_in_pyroscope()
