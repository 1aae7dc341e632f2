"""CPU time that waits for a sample."""

from hypothesis import given
from hypothesis import strategies as st

from agent.carry import NO_THREAD, Carry


def test_the_youngest_is_given_first():
    """What was used last goes first, and a part may be split."""
    carry = Carry()
    carry.put(1, 10, 100)
    carry.put(1, 20, 50)

    assert carry.take(1, 70) == 70
    assert carry.take_older(15) == {1: 80}
    assert carry.total_ns() == 0


def test_all_of_a_thread_or_of_all():
    """Without a limit everything is given."""
    carry = Carry()
    carry.put(1, 10, 100)
    carry.put(2, 10, 7)
    carry.put(2, 11, 0)

    assert carry.take(1) == 100
    assert carry.take(1) == 0
    assert carry.take_all() == 7


def test_only_what_is_old_is_given_up():
    """Time is old by when it was used; a thread with nothing left is forgotten."""
    carry = Carry()
    carry.put(1, 10, 1)
    carry.put(1, 20, 2)
    carry.put(2, 5, 4)

    assert carry.take_older(20) == {1: 1, 2: 4}
    assert (carry.threads(), carry.total_ns(1)) == ([1], 2)


def test_time_of_threads_that_ended_is_kept_with_its_age():
    """Whose it was is forgotten, how old it is is not."""
    carry = Carry()
    carry.put(1, 10, 1)
    carry.put(2, 10, 2)
    carry.put(NO_THREAD, 20, 4)
    carry.put(3, 20, 8)
    carry.forget_threads({3})

    assert (carry.threads(), carry.total_ns(NO_THREAD)) == ([NO_THREAD, 3], 7)
    assert carry.take_older(15) == {NO_THREAD: 3}


@given(st.lists(st.tuples(st.sampled_from(["put", "take", "older", "forget"]), st.integers(0, 4), st.integers(0, 99))))
def test_nothing_is_lost_and_nothing_is_added(steps):
    """Whatever is done: what was put in is what was taken out and what is left."""
    carry = Carry()
    put = taken = 0
    for moment, (kind, thread, amount) in enumerate(steps):
        if kind == "put":
            carry.put(thread, moment, amount)
            put += amount
        elif kind == "take":
            taken += carry.take(thread, amount)
        elif kind == "older":
            taken += sum(carry.take_older(moment - amount % 10).values())
        else:
            carry.forget_threads({thread})

    assert taken + carry.total_ns() == put
