"""Records of perf events: what the kernel writes is read, and anything else is left out."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from agent.reader.perf.record import Lost, Sighting, parse_records, split_chain

KERNEL, USER = 2**64 - 128, 2**64 - 512


def a_sample(pid=7, thread_id=8, time_ns=9, addresses=(USER, 1, 2)) -> bytes:
    chain = struct.pack(f"=Q{len(addresses)}Q", len(addresses), *addresses)
    body = struct.pack("=IIQ", pid, thread_id, time_ns) + chain
    return struct.pack("=IHH", 9, 0, 8 + len(body)) + body


def a_loss(count: int) -> bytes:
    return struct.pack("=IHHQQ", 2, 0, 24, 1, count)


def test_samples_and_losses_come_in_order():
    """Records of other kinds are passed over."""
    other = struct.pack("=IHHQ", 5, 0, 16, 0)
    chain = struct.pack("=3Q", USER, 1, 2)
    found = list(parse_records(a_sample() + other + a_loss(5) + a_sample(pid=2**32 - 1, thread_id=0)))
    assert [Sighting(7, 8, 9, chain), Lost(5), Sighting(0, 0, 9, chain)] == found


def test_a_chain_is_split_at_its_marks():
    """Each part is leaf first; what follows an unknown mark, or none, belongs to neither."""
    words = [99, KERNEL, 10, 11, 2**64 - 2048, 12, USER, 20, 21]
    assert ((10, 11), (20, 21)) == split_chain(struct.pack(f"={len(words)}Q", *words))
    assert ((), ()) == split_chain(b"")
    assert ((), (5,)) == split_chain(struct.pack("=2Q", USER, 5) + b"abc")


@given(noise=st.binary(max_size=300), cut=st.integers(0, 80))
def test_noise_is_read_without_a_fault(noise, cut):
    """Whatever the bytes are, nothing is raised, and what is whole before them is kept."""
    whole = a_sample()
    found = list(parse_records(whole + noise))
    assert isinstance(found[0], Sighting)
    for record in [*found, *parse_records(whole[:cut])]:
        if isinstance(record, Sighting):
            split_chain(record.chain)
