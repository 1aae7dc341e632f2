"""Allow, deny and identity rules."""

import dataclasses

import pytest

from agent.matching import TEXT_CHARS_MAX, IdentityRules, Matcher, ProcessFacts, TargetRules
from agent.settings import IdentityRule, Match, TargetSettings

FACTS = ProcessFacts(
    executable="/usr/bin/python3.11",
    user="www-data",
    cgroup="0::/app.slice/shop.service",
    command_line="python3 /srv/shop/app.py --port 80",
    service="shop",
    container="0123456789abcdef" * 4,
    image="registry.example.org/team/shop:1.2",
    pod="3f1c2a5e-8d77-4b0c-9a51-0c2f4e6a7b89",
    unit="shop.service",
)


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (Match(executable="python3"), True),
        (Match(user="^www-data$"), True),
        (Match(user="^www$"), False),
        (Match(cgroup="app.slice"), True),
        (Match(unit="^shop\\.service$"), True),
        (Match(container="^0123"), True),
        (Match(image="/shop:1\\."), True),
        (Match(pod="^3f1c2a5e-"), True),
        (Match(pod="."), True),
        (Match(pod="^other"), False),
        (Match(service="^shop$", command_line=r"--port \d+"), True),
        (Match(service="^shop$", command_line="--nothing"), False),
        (Match(), False),
    ],
)
def test_all_patterns_of_a_rule_must_be_found(match, expected):
    """Patterns are searched and joined by and; a rule without any applies to nothing."""
    assert Matcher(match).matches(FACTS) is expected


@pytest.mark.parametrize(
    ("allow", "deny", "expected"),
    [
        ((), (), True),
        ((), (Match(service="shop"),), False),
        ((Match(service="shop"),), (), True),
        ((Match(service="other"),), (), False),
        ((Match(service="other"), Match(user="www")), (), True),
        ((Match(service="shop"),), (Match(user="www"),), False),
    ],
)
def test_deny_wins_and_an_allow_list_must_be_met(allow, deny, expected):
    """Without rules all are watched; with an allow list only those it names; deny has the last word."""
    assert TargetRules(TargetSettings(allow=allow, deny=deny)).permits(FACTS) is expected


def test_a_pattern_looks_at_a_bounded_text():
    """What stands beyond the limit cannot match, nor cost time."""
    facts = dataclasses.replace(FACTS, command_line="x" * TEXT_CHARS_MAX + " --hidden")

    assert not Matcher(Match(command_line="--hidden")).matches(facts)


def test_identity_rules_fill_each_name_once():
    """The first rule that gives a name gives it; a later one may give another."""
    rules = IdentityRules(
        (
            IdentityRule(match=Match(command_line=r"/srv/(\w+)/"), service_name=r"\1-web"),
            IdentityRule(match=Match(user="www"), service_name="no", environment="prod"),
            IdentityRule(match=Match(user="nobody"), service_version="no"),
        )
    )

    assert rules.find(FACTS) == {"service_name": "shop-web", "environment": "prod"}
