"""
Configuration: defaults < YAML file < environment < flags, checked before any work is done.

A program's settings are a tree of ``msgspec.Struct`` with ``forbid_unknown_fields=True`` and a default for every field.
The environment names a setting ``PYROMETER_<PROGRAM>_<PATH>``, with ``__`` between levels:
``PYROMETER_COLLECTOR_HTTP__ADDRESS=127.0.0.1:4318``. Its values are read as YAML, so ``[a, b]`` and ``true`` work.
"""

import difflib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from pyrometer.errors import ConfigError

Settings = TypeVar("Settings", bound=msgspec.Struct)


def shipped_config(name: str) -> Path:
    """
    Return the path of a file of ``configs/`` as it was shipped with this installation.

    Raises:
        ConfigError: If the installation lacks it.
    """
    installed = Path(str(resources.files("pyrometer"))) / "_configs" / name
    checkout = Path(__file__).resolve().parent.parent / "configs" / name
    for path in (installed, checkout):
        if path.is_file():
            return path
    raise ConfigError(f"{name} is missing from this installation: looked for {installed} and {checkout}; reinstall it")


def load_settings(
    settings_type: type[Settings],
    *,
    program: str,
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """
    Build a program's settings from all its sources.

    Args:
        settings_type: The root of the settings tree.
        program: ``agent``, ``collector`` or ``dashboard``: the middle part of the environment's names.
        path: A YAML file; None for none.
        environment: Usually ``os.environ``; None for none.
        flags: Dotted key to value, such as ``{"http.address": "127.0.0.1:4318"}``; a value of None is not set.

    Raises:
        ConfigError: With the key, the value, where it came from and the rule.
    """
    merged: dict[str, Any] = {}
    if path is not None:
        from_file = _read_yaml(path)
        _check(settings_type, from_file, source=str(path))
        merged = _merge(merged, from_file)
    prefix = f"PYROMETER_{program.upper()}_"
    for name, text in sorted((environment or {}).items()):
        if name.startswith(prefix):
            keys = [key.lower() for key in name.removeprefix(prefix).split("__")]
            merged = _merge_checked(
                settings_type, merged, keys, _parse_scalar(text, name), source=f"environment {name}"
            )
    for dotted, value in (flags or {}).items():
        if value is not None:
            source = f"flag for {dotted}"
            merged = _merge_checked(settings_type, merged, dotted.split("."), value, source=source)
    return _check(settings_type, merged, source="settings")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot read config file {path}: {error.strerror}; check the path and its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"config file {path} is not UTF-8 text (byte {error.start})") from error
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"config file {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"config file {path} must hold a mapping of settings, not a {type(tree).__name__}")
    return tree


def _parse_scalar(text: str, name: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"environment {name}: {text!r} is not a valid value") from error


def _merge_checked(
    settings_type: type[Settings], merged: dict[str, Any], keys: list[str], value: Any, *, source: str
) -> dict[str, Any]:
    nested: Any = value
    for key in reversed(keys):
        nested = {key: nested}
    _check(settings_type, nested, source=source)
    return _merge(merged, nested)


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _check(settings_type: type[Settings], tree: dict[str, Any], *, source: str) -> Settings:
    _check_keys(settings_type, tree, where="", source=source)
    try:
        return msgspec.convert(tree, settings_type)
    except msgspec.ValidationError as error:
        message = str(error)
        rule, _, at = message.partition(" - at `$.")
        key = at.rstrip("`")
        value = _value_at(tree, key)
        shown = f" = {value!r}" if key else ""
        raise ConfigError(f"{source}: {key or 'the file'}{shown}: {rule}") from error


def _check_keys(settings_type: type[Any], tree: Mapping[str, Any], *, where: str, source: str) -> None:
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(settings_type)}
    for key, value in tree.items():
        dotted = f"{where}{key}"
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"; did you mean {where}{near[0]}?" if near else f"; known here: {', '.join(sorted(fields))}"
            raise ConfigError(f"{source}: unknown setting {dotted} = {value!r}{hint}")
        inner = fields[key]
        if isinstance(value, Mapping) and isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            _check_keys(inner, value, where=f"{dotted}.", source=source)


def _value_at(tree: Any, key: str) -> Any:
    for part in key.replace("[", ".[").split("."):
        try:
            tree = tree[int(part[1:-1])] if part.startswith("[") else tree[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return tree
