"""Loads the agent's settings, and checks what no single value tells: patterns, and values that bind one another."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.settings import AgentSettings, ExportSettings, IdentityRule, Match
from pyrometer.config import load_settings
from pyrometer.errors import ConfigError


def load_agent_settings(
    path: Path | None, *, environment: Mapping[str, str], flags: Mapping[str, Any]
) -> AgentSettings:
    """
    Build the agent's settings: defaults < file < environment < flags.

    Raises:
        ConfigError: With the key, the value, where it came from and the rule.
    """
    settings = load_settings(AgentSettings, program="agent", path=path, environment=environment, flags=flags)
    for index, rule in enumerate(settings.targets.allow):
        _check_match(rule, f"targets.allow[{index}]")
    for index, rule in enumerate(settings.targets.deny):
        _check_match(rule, f"targets.deny[{index}]")
    for index, identity_rule in enumerate(settings.identity.rules):
        _check_match(identity_rule.match, f"identity.rules[{index}].match")
        _check_template(identity_rule, f"identity.rules[{index}]")
    settings.http.host_and_port()
    if settings.export.batch_bytes_max > settings.export.queue_bytes_max:
        raise ConfigError(
            f"settings: export.batch_bytes_max = {settings.export.batch_bytes_max}: "
            f"must not be more than export.queue_bytes_max = {settings.export.queue_bytes_max}"
        )
    _check_export(settings.export)
    return settings


def _check_export(export: ExportSettings) -> None:
    if export.token and export.token_file:
        raise ConfigError("settings: export.token and export.token_file are both set: keep one")
    if export.key_file and not export.certificate_file:
        raise ConfigError("settings: export.key_file is set without export.certificate_file")
    if 0 < export.spool.bytes_max < export.batch_bytes_max:
        raise ConfigError(
            f"settings: export.spool.bytes_max = {export.spool.bytes_max}: "
            f"must be 0, or no less than export.batch_bytes_max = {export.batch_bytes_max}"
        )


def _check_match(match: Match, key: str) -> None:
    patterns = {name: getattr(match, name) for name in match.__struct_fields__}
    given = {name: pattern for name, pattern in patterns.items() if pattern is not None}
    if not given:
        raise ConfigError(f"settings: {key}: must name at least one of {', '.join(sorted(patterns))}")
    for name, pattern in given.items():
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"settings: {key}.{name} = {pattern!r}: must be a regular expression: {error}") from error


def _check_template(rule: IdentityRule, key: str) -> None:
    groups = re.compile(rule.match.command_line or "").groups
    for name in ("service_name", "service_version", "environment"):
        template = getattr(rule, name)
        for group in re.findall(r"\\(\d+)", template or ""):
            if not 0 < int(group) <= groups:
                raise ConfigError(
                    f"settings: {key}.{name} = {template!r}: "
                    f"\\{group} needs a command_line pattern with that many groups; it has {groups}"
                )
