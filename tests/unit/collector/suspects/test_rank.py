"""Which change comes first, and which is not named at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.events.event import Event
from collector.suspects.names import FunctionIndex, words_of
from collector.suspects.rank import CONFIDENCE_MIN, Question, rank_suspects
from collector.suspects.stacks import StackShare, StackTable
from pyrometer.api_events import TouchedFunction

HOUR_MS = 3_600_000
BEGAN_MS = 1_790_000_000_000
NAMES = [
    ("main", "/app/main.py"),
    ("Cart.price", "/srv/shop/cart.py"),
    ("apply", "/srv/shop/rules.py"),
    ("audit", "/srv/shop/audit.py"),
]
MAIN, PRICE, APPLY, AUDIT = range(4)
# price grew by 0.10, all of it through apply; everything runs through main.
TABLE = StackTable(
    NAMES,
    [
        StackShare(frozenset({MAIN, PRICE, APPLY}), 0.10, 0.20),
        StackShare(frozenset({MAIN, PRICE}), 0.10, 0.10),
        StackShare(frozenset({MAIN, AUDIT}), 0.80, 0.70),
    ],
)


def asked(**changes):
    fields = {
        "service": "shop", "baseline": "1", "candidate": "2", "began_ms": BEGAN_MS, "side_by_side": True,
        "function": "Cart.price",
    }  # fmt: skip
    return Question(**{**fields, **changes})


def touch(name, file="", kind="modified"):
    return TouchedFunction(function=name, file=file, first_line=3, last_line=9, touch=kind)


def deploy(*functions, event_id="d", version="2", **fields):
    return Event(
        event_id=event_id, kind="deploy", service="shop", version=version, time_ms=BEGAN_MS - HOUR_MS,
        functions=functions, **fields,
    )  # fmt: skip


def other(kind="config", hours=-0.1, **fields):
    return Event(event_id=kind, kind=kind, service="shop", time_ms=int(BEGAN_MS + hours * HOUR_MS), **fields)


def confidence(event, question=None, table=TABLE):
    found = rank_suspects([event], question or asked(), table, most=1)
    return found[0].confidence if found else 0.0


def test_a_change_of_the_function_itself_is_the_likeliest():
    """Then one of what it grew through, then one that says nothing; the evidence names place and part."""
    events = [
        deploy(event_id="bare"),
        deploy(touch("apply", "shop/rules.py"), event_id="through"),
        deploy(touch("Cart.price", "src/shop/cart.py"), event_id="itself"),
    ]
    found = rank_suspects(events, asked(), TABLE, most=3)
    assert [suspect.event.event_id for suspect in found] == ["itself", "through", "bare"]
    assert found[0].evidence[0] == "modifies Cart.price (src/shop/cart.py:3-9)"
    assert found[1].evidence[0] == "modifies apply (shop/rules.py:3-9): 100% of the increase runs through it"
    assert found[1].explained == pytest.approx(1.0)
    assert "it does not say which functions it touches" in found[2].evidence[-1]
    assert len(rank_suspects(events, asked(), TABLE, most=2)) == 2


@pytest.mark.parametrize(
    "event",
    [
        deploy(touch("audit", "shop/audit.py")),
        deploy(touch("main", "main.py")),
        deploy(touch("never_ran", "shop/cart.py")),
        deploy(touch("Cart.price", "shop/cart.py"), version="1"),
        deploy(version="3"),
        deploy(source="seen"),
        other(),
        other("incident", hours=-72),
    ],
)
def test_what_says_too_little_is_not_named(event):
    """Other functions, what everything runs through, other releases, what both releases felt."""
    assert rank_suspects([event], asked(), TABLE, most=3) == []


def test_one_after_the_other_what_happened_between_them_is_suspect():
    """The nearer in time, the more; side by side it would have touched both."""
    after_another = asked(side_by_side=False, function=None, operation="GET /cart")
    named = {"title": "cart cache off"}
    near, far = (confidence(other(hours=hours, **named), after_another) for hours in (-0.5, -30))
    assert near > CONFIDENCE_MIN > far


def test_words_in_common_speak_for_a_change():
    """Of its title, commits and functions; not of a diff, which holds every word."""
    question = asked(function=None, operation="GET /orders/{id}")
    named = touch("Ledger.look_up", "shop/other.py")
    plain, told = (
        confidence(deploy(named), question),
        confidence(deploy(named, title="Orders from the archive"), question),
    )
    assert (plain, told > CONFIDENCE_MIN) == (0.0, True)
    assert confidence(deploy(named, text="+ orders", source="git"), question) == 0.0
    assert confidence(deploy(touch("list", "shop/orders.py")), question) == told


def test_a_function_whose_stacks_are_gone_is_still_recognised():
    """By its name and file, with no table to look in."""
    question = asked(function="Cart.price", file="/srv/shop/cart.py")
    assert confidence(deploy(touch("Cart.price", "shop/cart.py")), question, StackTable()) > 0.8
    assert confidence(deploy(touch("Cart.price", "shop/basket.py")), question, StackTable()) < 0.5


def test_the_same_function_is_found_under_the_name_of_the_process():
    """By the end of its path, and by its last name where the reader knows no more; files that fit less do not count."""
    index = FunctionIndex([("f", "/a/x/m.py"), ("f", "/b/y/m.py"), ("g", "/a/x/m.py"), ("K.g", "/a/z/n.py")])
    assert index.find(touch("f", "src/x/m.py")) == {0}
    assert index.find(touch("f", "m.py")) == {0, 1}
    assert index.find(touch("f", "src/x/other.py")) == frozenset()
    assert index.find(touch("C.g", "x/m.py")) == {2}
    assert index.find(touch("K.g", "z/n.py")) == {3}


def test_words_are_those_that_tell_something():
    """Identifiers are taken apart, plurals are not told from singulars."""
    assert words_of(["apply_discounts HTTPServer getUser", "Add a new rule (#1234)"]) == {
        "apply", "discount", "http", "server", "user", "rule", "1234",
    }  # fmt: skip


texts = st.text(max_size=20)
events = st.builds(
    Event,
    event_id=texts, kind=st.sampled_from(["deploy", "config", "flag", "capacity", "incident"]), service=st.just("shop"),
    version=st.sampled_from(["1", "2"]), time_ms=st.integers(10**12, 4 * 10**12), title=texts,
    functions=st.lists(st.builds(touch, st.sampled_from([*(name for name, _ in NAMES), "x.<locals>.<lambda>"]), texts)),
)  # fmt: skip


@given(st.lists(events, max_size=8), texts, st.booleans())
def test_confidence_is_a_fraction_whatever_is_told(events, operation, together):
    """Sorted, none below the limit, and the order of events does not matter."""
    for question in (asked(side_by_side=together), asked(side_by_side=together, function=None, operation=operation)):
        found = [suspect.confidence for suspect in rank_suspects(events, question, TABLE, most=5)]
        assert found == sorted(found, reverse=True)
        assert all(CONFIDENCE_MIN <= value < 1.0 for value in found)
        assert found == [suspect.confidence for suspect in rank_suspects(events[::-1], question, TABLE, most=5)]
