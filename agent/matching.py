"""Rules about processes, compiled: allow, deny, and what to call them."""

import re
from dataclasses import dataclass

from agent.settings import IdentityRule, Match, TargetSettings

# A pattern looks at no more than this of any text: it bounds what a slow regular expression can cost.
TEXT_CHARS_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFacts:
    """
    What rules may look at. It lives only while a process is classified, as the command line may hold secrets.

    Attributes:
        executable: Path of the program.
        user: Name of its owner, or the number where it has no name.
        cgroup: Lines of ``/proc/PID/cgroup``.
        command_line: Arguments joined by spaces.
        container: Id of its container, in full.
        image: Reference of its container's image, where the runtime's files tell.
        pod: Kubernetes' uid of its pod.
        unit: Its systemd service.
        service: Empty while the name is still looked for.
    """

    executable: str
    user: str
    cgroup: str
    command_line: str
    container: str = ""
    image: str = ""
    pod: str = ""
    unit: str = ""
    service: str = ""


class Matcher:
    """One `Match`, compiled."""

    def __init__(self, match: Match) -> None:
        self._patterns = {
            name: re.compile(pattern)
            for name in match.__struct_fields__
            if (pattern := getattr(match, name)) is not None
        }

    def matches(self, facts: ProcessFacts) -> bool:
        """Return whether every pattern is found; never true without a pattern."""
        return bool(self._patterns) and all(
            pattern.search(getattr(facts, name)[:TEXT_CHARS_MAX]) for name, pattern in self._patterns.items()
        )

    def command_line(self, facts: ProcessFacts) -> re.Match[str] | None:
        """Return where the command line pattern is found, for the groups of a template."""
        pattern = self._patterns.get("command_line")
        return pattern.search(facts.command_line[:TEXT_CHARS_MAX]) if pattern else None


class TargetRules:
    """Which Python processes are watched: those no deny rule meets and, where there are any, an allow rule does."""

    def __init__(self, settings: TargetSettings) -> None:
        self._allow = [Matcher(match) for match in settings.allow]
        self._deny = [Matcher(match) for match in settings.deny]

    def permits(self, facts: ProcessFacts) -> bool:
        """Return whether a process may be watched."""
        if any(matcher.matches(facts) for matcher in self._deny):
            return False
        return not self._allow or any(matcher.matches(facts) for matcher in self._allow)


class IdentityRules:
    """Names that the configuration gives to processes."""

    def __init__(self, rules: tuple[IdentityRule, ...]) -> None:
        self._rules = [(rule, Matcher(rule.match)) for rule in rules]

    def find(self, facts: ProcessFacts) -> dict[str, str]:
        """Return ``service_name``, ``service_version`` and ``environment`` as far as a rule gives them, first wins."""
        found: dict[str, str] = {}
        for rule, matcher in self._rules:
            if not matcher.matches(facts):
                continue
            where = matcher.command_line(facts)
            for name in ("service_name", "service_version", "environment"):
                template = getattr(rule, name)
                if template and name not in found:
                    found[name] = where.expand(template) if where else template
        return found
