"""What a Python command line says it runs: the module or script a service is named after."""

from collections.abc import Sequence
from pathlib import PurePosixPath

# Options of CPython that take a value, in the same argument or the next. Source: "python --help", 3.11 to 3.14.
_WITH_VALUE = "WX"
_LONG_WITH_VALUE = "--check-hash-based-pycs"


def program_name(arguments: Sequence[str], executable: str) -> str:
    """
    Return the name of what an interpreter runs.

    Args:
        arguments: The command line, the interpreter first.
        executable: Path of the process's program, for command lines that name neither module nor script.

    Returns:
        The module of ``-m``, a script's name without ``.py``, the folder of a ``__main__.py``, else the executable's
        own name.
    """
    fallback = PurePosixPath(executable or (arguments[0] if arguments else "")).name
    if not PurePosixPath(executable or fallback).name.startswith("python"):
        return fallback  # a program with Python inside: what follows are its own options
    return _module_or_script(arguments[1:]) or fallback


def _module_or_script(arguments: Sequence[str]) -> str:
    rest = iter(arguments)
    for argument in rest:
        if argument == _LONG_WITH_VALUE:
            next(rest, "")
        elif argument in ("-", "--") or not argument.startswith("-"):
            return _script_name(argument) if argument not in ("-", "--") else ""
        elif not argument.startswith("--"):
            flag, value = _first_with_value(argument[1:])
            if flag in ("m", "c"):
                return _module_name(value or next(rest, "")) if flag == "m" else ""
            if flag and not value:
                next(rest, "")
    return ""


def _first_with_value(cluster: str) -> tuple[str, str]:
    """Split short options written together (``-uIm pkg``) at the first that takes a value."""
    for position, flag in enumerate(cluster):
        if flag in _WITH_VALUE + "mc":
            return flag, cluster[position + 1 :]
    return "", ""


def _module_name(module: str) -> str:
    return module.removesuffix(".__main__")


def _script_name(script: str) -> str:
    path = PurePosixPath(script)
    if path.name == "__main__.py" and path.parent.name:
        path = path.parent
    return path.name.removesuffix(".py").removesuffix(".pyz")
