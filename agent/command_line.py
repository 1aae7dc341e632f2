"""What a Python command line says it runs: the module, script or application a service is named after, and its part."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from agent.launchers import application_name, name_of_module, name_of_script, option_value

# Options of CPython that take a value, in the same argument or the next. Source: "python --help", 3.11 to 3.14.
_WITH_VALUE = "WX"
_LONG_WITH_VALUE = "--check-hash-based-pycs"

# What multiprocessing, billiard (Celery's) and loky (joblib's) start interpreters with.
_MULTIPROCESSING = re.compile(r"from [\w.]+\.(spawn|forkserver|resource_tracker|semaphore_tracker) import ")
_LOKY = "loky.backend.popen_loky_posix"
# Titles that replace a command line: "gunicorn: worker [shop]", "[celeryd: celery@h:MainProcess] -active- (-A shop …)".
_GUNICORN = re.compile(r"gunicorn: (master|worker) \[([^\]]+)\]")
_CELERY = re.compile(r"\[celeryd?: [^\]]*?(\w*)(?:-\d+)?\](.*)")
_FIRST_WORD = re.compile(r"\w[\w.-]*")
_TITLE_CHARS_MAX = 1024


class Role(StrEnum):
    """The part of a process in the tree that a service is made of."""

    MAIN = "main"
    WORKER = "worker"
    HELPER = "helper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """
    What a command line tells.

    Attributes:
        name: After which a service can be called.
        names_itself: Whether the command line says it; otherwise the name is the interpreter's, and whoever started the
            process knows better.
        role: Where the command line shows it.
    """

    name: str
    names_itself: bool = True
    role: Role | None = None


def parse_program(arguments: Sequence[str], executable: str, folder: str = "") -> Program:
    """
    Return what an interpreter runs.

    Args:
        arguments: The command line, the interpreter first, or the title that a process wrote over it.
        executable: Path of the process's program, for command lines that name neither module nor script.
        folder: Name of the working directory.

    Returns:
        The application that a known launcher runs, the module of ``-m``, a script's name without ``.py``, the folder of
        a ``__main__.py`` or ``manage.py``, else the executable's own name.
    """
    first = arguments[0] if arguments else ""
    fallback = PurePosixPath(executable or first).name
    if _is_title(first, executable):
        return _parse_title(" ".join(arguments)[:_TITLE_CHARS_MAX], fallback)
    if not fallback.startswith("python"):
        # A program with Python inside: what follows are its own options.
        return Program(name=application_name(fallback, arguments[1:], folder) or fallback)
    return _parse_interpreter(arguments[1:], fallback, folder)


def _parse_interpreter(arguments: Sequence[str], fallback: str, folder: str) -> Program:
    kind, value, rest = _split(arguments)
    if kind == "m":
        module = value.removesuffix(".__main__")
        if _LOKY in module:
            return Program(name=fallback, names_itself=False, role=Role.WORKER)
        name = application_name(module.partition(".")[0], rest, folder) or module
    elif kind == "script":
        name = name_of_script(value)
        parent = PurePosixPath(value).parent.name if name == "manage" else ""
        name = application_name(name, rest, parent or folder) or name
    else:
        name = ""
    role = _multiprocessing_role(value) if kind == "c" else None
    return Program(name=name or fallback, names_itself=bool(name), role=role)


def _split(arguments: Sequence[str]) -> tuple[str, str, Sequence[str]]:
    """Return what is run ("m", "c", "script" or nothing), its name or code, and the arguments that are its own."""
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        index += 1
        if argument == _LONG_WITH_VALUE:
            index += 1
        elif argument in ("-", "--"):
            break
        elif not argument.startswith("-"):
            return "script", argument, arguments[index:]
        elif not argument.startswith("--"):
            flag, value = _first_with_value(argument[1:])
            if flag and not value:
                value = arguments[index] if index < len(arguments) else ""
                index += 1
            if flag in ("m", "c"):
                return flag, value, arguments[index:]
    return "", "", ()


def _first_with_value(cluster: str) -> tuple[str, str]:
    """Split short options written together (``-uIm pkg``) at the first that takes a value."""
    for position, flag in enumerate(cluster):
        if flag in _WITH_VALUE + "mc":
            return flag, cluster[position + 1 :]
    return "", ""


def _multiprocessing_role(code: str) -> Role | None:
    match = _MULTIPROCESSING.match(code)
    if match is None:
        return None
    return Role.WORKER if match.group(1) == "spawn" else Role.HELPER


def _is_title(first: str, executable: str) -> bool:
    """Return whether a process wrote a title over its command line: no interpreter is called like that."""
    if executable and not PurePosixPath(executable).name.startswith("python"):
        return False
    return "python" not in first and (": " in first or " " in first.strip())


def _parse_title(title: str, fallback: str) -> Program:
    if match := _GUNICORN.match(title):
        role = Role.MAIN if match.group(1) == "master" else Role.WORKER
        return Program(name=name_of_module(match.group(2)), role=role)
    if match := _CELERY.match(title):
        app = option_value(re.split(r"[\s()]+", match.group(2)), ("-A", "--app"))
        role = Role.MAIN if match.group(1) == "MainProcess" else Role.WORKER
        # A worker's title does not tell the application: its main process knows.
        return Program(name=name_of_module(app) if app else "celery", names_itself=bool(app), role=role)
    # Whatever else it says may change all the time: no service is named after more than its first word.
    word = _FIRST_WORD.match(title.lstrip("[ "))
    return Program(name=word.group() if word else fallback, names_itself=False)
