"""What the benchmark of ingest sends is what it says it sends."""

import random

import pytest

from benchmarks.ingest.requests import POINTS, SAMPLES, SPANS, STACK_DEPTH, a_stack
from collector.receive.payloads import SIGNALS
from pyrometer.formats.otlp import otlp_to_profiles


@pytest.mark.parametrize("kind", [SPANS, POINTS])
@pytest.mark.parametrize("rows", [1, 100, 1000])
def test_a_request_has_its_rows(kind, rows):
    """The collector counts as many, and would store them all."""
    checked = SIGNALS[kind.path].check(kind.make(rows, random.Random(1)))
    assert (checked.rows, checked.rejected) == (rows, 0)


def test_a_profile_has_its_stacks():
    """Each once, of the depth that is stated."""
    [profile] = otlp_to_profiles(SAMPLES.make(500, random.Random(1)))
    stacks = {sample.stack for sample in profile.samples}
    assert len(stacks) == len(profile.samples) == 500
    assert {len(stack) for stack in stacks} == {STACK_DEPTH}
    assert a_stack(3) == a_stack(3)
