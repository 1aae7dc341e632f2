"""One ticket for each cause: over repeated scans, two collectors, and the states that people and time bring."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.detect.finding import Finding, FindingState, Kind, SeriesKey
from collector.regressions.merge import Scan, change_state, merge
from collector.regressions.ticket import BY_PEOPLE, Found, Price, TicketState

HOUR_S = 3600
DAY_S = 86_400
START_S = 1_790_000_000


def found(name="price", *, at_s=10 * HOUR_S, effect=1.0, kind=Kind.FUNCTION_PER_REQUEST, state="confirmed", **fields):
    key = SeriesKey(service="shop", kind=kind, name=name, detail="cart.py")
    return Found(
        Finding(
            key=key, index=0, time_s=START_S + at_s, step_s=600, before=2.0, after=2.0 + effect, low=effect - 0.1,
            high=effect + 0.1, p_value=0.001, mde=0.1, samples=1000, direction="up" if effect > 0 else "down",
            state=FindingState(state), **fields,
        ),
        Price(10 * effect, 9 * effect, 11 * effect),
    )  # fmt: skip


def scan(*findings, until_s=DAY_S, **fields):
    return Scan(service="shop", start_s=START_S, until_s=START_S + until_s, found=findings, **fields)


def release(*findings, candidate="2", until_s=DAY_S, **fields):
    versions = {"baseline_version": "1", "candidate_version": candidate}
    marked = [dataclasses.replace(one, finding=dataclasses.replace(one.finding, **versions)) for one in findings]
    return scan(*marked, until_s=until_s, releases=("1", candidate), **fields)


def states(ticket):
    return [step.state.value for step in ticket.history]


def test_a_change_that_is_found_again_is_the_same_ticket():
    """Found an hour off by another scan, it keeps id, beginning and history; the last finding is kept."""
    [first] = merge(scan(found()), [])
    [again] = merge(scan(found(at_s=11 * HOUR_S, effect=2.0), until_s=2 * DAY_S), [first])
    assert (again.ticket_id, again.began_s, again.history) == (first.ticket_id, first.began_s, first.history)
    assert again.found.finding.effect == pytest.approx(2.0)


def test_quantities_of_one_subject_are_one_ticket_and_others_are_not():
    """Share and CPU of a function that changed together; another function, another day, an improvement: not."""
    share = found(kind=Kind.FUNCTION_SHARE, at_s=10 * HOUR_S + 900, effect=0.1)
    tickets = merge(scan(found(), share, found("apply"), found(at_s=20 * HOUR_S), found("tax", effect=-1.0)), [])
    assert sorted((ticket.found.finding.key.name, len(ticket.kinds)) for ticket in tickets) == [
        ("apply", 1), ("price", 1), ("price", 2),
    ]  # fmt: skip


def test_a_release_is_one_change_whenever_it_was_seen_first():
    """Two scans of different ranges see another start of the same release."""
    [first] = merge(release(found(at_s=HOUR_S)), [])
    [again] = merge(release(found(at_s=20 * HOUR_S), until_s=2 * DAY_S), [first])
    assert again.ticket_id == first.ticket_id
    [alone] = merge(release(found(at_s=20 * HOUR_S)), [])
    assert alone.ticket_id == first.ticket_id


def test_provisional_becomes_confirmed_and_not_back():
    """With more data; a later scan with less of it does not take that away."""
    tickets = merge(scan(found(state="provisional"), until_s=11 * HOUR_S), [])
    for state, until_s in (("confirmed", DAY_S), ("provisional", 2 * DAY_S)):
        tickets = merge(scan(found(state=state), until_s=until_s), tickets)
    assert states(tickets[0]) == ["provisional", "confirmed"]


def test_what_was_provisional_and_is_not_found_again_is_gone():
    """Where a scan looked there again; one that did not look changes nothing, nor is what was confirmed forgotten."""
    tickets = merge(scan(found(state="provisional"), found("apply")), [])
    later = Scan(service="shop", start_s=START_S + DAY_S, until_s=START_S + 2 * DAY_S, found=())
    assert merge(later, tickets) == tickets
    by_name = {ticket.found.finding.key.name: states(ticket) for ticket in merge(scan(), tickets)}
    assert by_name == {"price": ["provisional", "gone"], "apply": ["confirmed"]}
    new = merge(release(found(state="provisional")), [])
    assert merge(release(candidate="3"), new) == new
    assert states(merge(release(), new)[0]) == ["provisional", "gone"]


def test_what_went_back_is_gone_and_is_opened_again_when_it_comes_back():
    """The same id, and the whole history; half taken back is enough, a third is not."""
    tickets = merge(scan(found()), [])
    less = found(at_s=20 * HOUR_S, effect=-0.3)
    assert states(merge(scan(less), tickets)[0]) == ["confirmed"]
    tickets = merge(scan(found(), found(at_s=20 * HOUR_S, effect=-0.8)), tickets)
    assert states(tickets[0]) == ["confirmed", "gone"]
    [back] = merge(scan(found(at_s=30 * HOUR_S), until_s=2 * DAY_S), tickets)
    assert (back.ticket_id, states(back)) == (tickets[0].ticket_id, ["confirmed", "gone", "confirmed"])
    assert back.history[-1].note == "came back"
    assert back.began_s == START_S + 30 * HOUR_S


@pytest.mark.parametrize("state", sorted(BY_PEOPLE))
def test_what_people_say_stays(state):
    """The same change found again does not undo it, whatever the scan makes of it."""
    [ticket] = merge(scan(found()), [])
    said = change_state(ticket, state, time_s=START_S + DAY_S, by="ada", note="seen")
    [again] = merge(scan(found(effect=3.0), until_s=2 * DAY_S), [said])
    assert again.history == said.history
    assert (again.history[-1].by, again.history[-1].note) == ("ada", "seen")


def test_resolved_comes_back_and_a_false_alarm_does_not():
    """A later change of what was resolved opens it again; of a false alarm it is another ticket."""
    [ticket] = merge(scan(found()), [])
    later = scan(found(at_s=50 * HOUR_S), until_s=3 * DAY_S)
    for state, tickets in ((TicketState.RESOLVED, 1), (TicketState.FALSE_POSITIVE, 2)):
        said = change_state(ticket, state, time_s=START_S + DAY_S, by="ada", note="")
        after = merge(later, [said])
        assert len(after) == tickets
        assert sum(each.is_open for each in after) == 1


def test_a_planned_change_is_planned_and_a_shift_is_a_shift():
    """Both are kept, and neither is a regression to look for."""
    planned, shift = found(), found("apply", state="cost_shift")
    tickets = merge(scan(planned, shift, planned_s=[START_S + 10 * HOUR_S - 600]), [])
    assert {each.found.finding.key.name: each.state for each in tickets} == {
        "price": TicketState.PLANNED, "apply": TicketState.PLANNED,
    }  # fmt: skip
    [kept] = merge(scan(shift), [])
    assert kept.state is TicketState.COST_SHIFT


findings = st.builds(
    found,
    st.sampled_from(["a", "b"]),
    at_s=st.integers(0, 40).map(lambda steps: steps * 1800),
    effect=st.sampled_from([-2.0, -0.4, 0.5, 1.0]),
    kind=st.sampled_from([Kind.FUNCTION_PER_REQUEST, Kind.FUNCTION_SHARE]),
    state=st.sampled_from(["provisional", "confirmed", "cost_shift", "not_enough_data"]),
    candidate_version=st.sampled_from([None, None, "2"]),
)


def place(one):
    return one.finding.key, one.finding.time_s, one.finding.candidate_version


# A scan has one finding of a series at a time.
scans = st.builds(
    lambda found, days: scan(*found, until_s=days * DAY_S, releases=(None, "2")),
    st.lists(findings, max_size=6, unique_by=place),
    st.integers(1, 3),
)  # fmt: skip


@given(st.lists(scans, max_size=4), st.randoms())
def test_the_same_scan_again_changes_nothing(history, random):
    """In whatever order its findings come, and by how many collectors: all come to the same tickets."""
    once, twice = [], []
    for one in history:
        once = merge(one, once)
        shuffled = list(one.found)
        random.shuffle(shuffled)
        twice = merge(dataclasses.replace(one, found=shuffled), merge(one, twice))
    assert once == twice
    assert len({ticket.ticket_id for ticket in once}) == len(once)


@given(scans, scans)
def test_another_subject_changes_nothing(first, second):
    """Tickets of one function are the same with and without findings of another."""

    def only(one, name):
        return dataclasses.replace(one, found=[each for each in one.found if each.finding.key.name == name])

    whole = merge(second, merge(first, []))
    alone = merge(only(second, "a"), merge(only(first, "a"), []))
    assert [ticket for ticket in whole if ticket.found.finding.key.name == "a"] == alone


@given(scans)
def test_every_ticket_stands_for_something_worse(one):
    """And every change for the worse has one, of its own function."""
    tickets = merge(one, [])
    assert all(ticket.found.finding.is_worse for ticket in tickets)
    judged = {
        each.finding.key.name for each in one.found if each.finding.is_worse and each.finding.state != "not_enough_data"
    }
    assert {ticket.found.finding.key.name for ticket in tickets} == judged
