"""What becomes of a part that dies."""

import os

import pytest

from pyrometer.up.backoff import Backoff
from pyrometer.up.child import ChildLog
from pyrometer.up.plan import Part
from pyrometer.up.slot import CannotRunError, PartState, Slot


def a_slot(log: ChildLog | None = None) -> Slot:
    slot = Slot(part=Part(name="agent", command=("true",)), log=log, backoff=Backoff(random_fraction=lambda: 1.0))
    slot.state = PartState.STARTING
    return slot


def test_a_part_that_ran_comes_back_however_often_it_dies():
    """Crashes of a part that was ready are never too many."""
    slot = a_slot()
    for _ in range(50):
        slot.became_ready(1.0)
        text = slot.died(-9, 2.0)

    assert text == "agent was killed by SIGKILL; starting it again in 30.0 s"
    assert slot.state is PartState.BACKING_OFF
    assert slot.since == 32.0


def test_a_wrong_configuration_at_the_first_start_is_final():
    """Exit code 2 of a part that never ran is not worth another try."""
    with pytest.raises(CannotRunError) as caught:
        a_slot().died(2, 1.0)

    assert caught.value.exit_code == 2


def test_a_wrong_configuration_later_gets_three_tries():
    """A port may be taken for a moment; a part that ran before is tried again, but not for ever."""
    slot = a_slot()
    slot.became_ready(1.0)
    slot.died(2, 2.0)
    slot.state = PartState.STARTING
    slot.died(2, 3.0)
    slot.state = PartState.STARTING

    with pytest.raises(CannotRunError) as caught:
        slot.died(2, 4.0)

    assert caught.value.exit_code == 2


def test_another_fault_in_between_starts_the_count_again():
    """Only exit codes 2 in a row count as a configuration that is wrong."""
    slot = a_slot()
    slot.became_ready(1.0)
    for code in (2, 2, 1, 2, 2):
        slot.died(code, 2.0)
        slot.state = PartState.READY

    assert slot.config_failures == 2


def test_a_part_that_never_becomes_ready_is_given_up():
    """Five starts without success end with exit code 1."""
    slot = a_slot()
    for _ in range(4):
        slot.died(None, 1.0)
        slot.state = PartState.STARTING

    with pytest.raises(CannotRunError, match="did not become ready, for the 5th time") as caught:
        slot.died(None, 1.0)

    assert caught.value.exit_code == 1


def test_a_part_that_stayed_well_starts_from_the_first_delay(tmp_path):
    """What a part did long ago does not slow its return."""
    slot = a_slot(ChildLog(tmp_path / "agent.log"))
    slot.became_ready(1.0)
    for _ in range(6):
        slot.died(1, 2.0)
        slot.became_ready(3.0)

    slot.stayed_well()

    assert slot.died(1, 4.0) == "agent ended with exit code 1; starting it again in 0.5 s"


def test_the_same_last_words_are_told_once(tmp_path):
    """The end of the log is shown with the first failure, and again only when it is another."""
    log = ChildLog(tmp_path / "agent.log")
    slot = a_slot(log)
    texts = []
    for words in (b"no luck\n", b"no luck\n", b"another fault\n"):
        descriptor = log.open()
        os.write(descriptor, words)
        os.close(descriptor)
        texts.append(slot.died(1, 1.0))
        slot.state = PartState.STARTING

    assert ["no luck" in text for text in texts] == [True, False, False]
    assert "    another fault" in texts[2]
