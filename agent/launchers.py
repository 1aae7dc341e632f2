"""Programs that run an application given to them, and how the application's name is found among their arguments."""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Final

_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_MODULE_AND_OBJECT = re.compile(rf"({_MODULE.pattern}):[A-Za-z_]\w*(?:\(.*\))?")
# gunicorn's own prefixes of a configuration, which look like MODULE:OBJECT.
_NOT_MODULES = ("python", "file", "unix", "tcp", "fd", "egg")
# Last parts of a module's name that only say where the application object stands.
_SILENT_PARTS = frozenset({"wsgi", "asgi", "main", "app", "application", "celery", "server", "settings", "__main__"})
# Folders that say as little.
_SILENT_FOLDERS = frozenset({"", "app", "apps", "code", "home", "opt", "root", "srv", "src", "tmp", "workspace"})
_CHARS_MAX = 512  # of an argument that is looked at


def application_name(launcher: str, arguments: Sequence[str], folder: str) -> str:
    """
    Return what a launcher runs, or nothing where *launcher* is none or its arguments do not tell.

    Args:
        launcher: Its name: of the script, or the first part of the module.
        arguments: What follows it.
        folder: Name of the working directory: the better name where the application is just called "main" or "app".
    """
    find = LAUNCHERS.get(launcher)
    return find([argument[:_CHARS_MAX] for argument in arguments], folder) if find else ""


def name_of_module(module: str, folder: str = "") -> str:
    """Return what a service is called after its module: ``shop.wsgi`` is shop, ``main`` what its folder is called."""
    parts = module.partition(":")[0].split(".")
    while len(parts) > 1 and parts[-1] in _SILENT_PARTS:
        parts.pop()
    if parts[-1] in _SILENT_PARTS and len(parts) == 1 and folder not in _SILENT_FOLDERS:
        return folder
    return ".".join(parts)


def name_of_script(script: str) -> str:
    """Return a script's name without its suffix, or its folder's where it is a ``__main__.py``."""
    path = PurePosixPath(script)
    if path.name == "__main__.py" and path.parent.name:
        path = path.parent
    return path.name.removesuffix(".py").removesuffix(".pyz")


def option_value(arguments: Sequence[str], names: Sequence[str]) -> str:
    """Return the value of the first of these options: ``-A shop``, ``-Ashop``, ``--app shop`` or ``--app=shop``."""
    for index, argument in enumerate(arguments):
        for name in names:
            if argument == name and index + 1 < len(arguments):
                return arguments[index + 1]
            glued = f"{name}=" if name.startswith("--") else name
            if argument.startswith(glued) and len(argument) > len(glued):
                return argument[len(glued) :].removeprefix("=")
    return ""


def _by_module(arguments: Sequence[str], folder: str) -> str:
    for argument in arguments:
        match = _MODULE_AND_OBJECT.fullmatch(argument)
        if match and match.group(1) not in _NOT_MODULES:
            return name_of_module(match.group(1), folder)
    # Without an object: first, or last and no option's value as far as that can be told.
    for before, argument in zip(("", *arguments), arguments, strict=False):
        at_end = argument is arguments[0] or (argument is arguments[-1] and not before.startswith("-"))
        if at_end and _MODULE.fullmatch(argument):
            return name_of_module(argument, folder)
    return ""


def _by_option(*names: str) -> Callable[[Sequence[str], str], str]:
    def find(arguments: Sequence[str], folder: str) -> str:
        value = option_value(arguments, names)
        return name_of_module(name_of_script(value), folder) if value else ""

    return find


def _by_script(arguments: Sequence[str], _: str) -> str:
    """Name the first argument that is a Python file, or the module of ``-m``."""
    for index, argument in enumerate(arguments):
        if argument == "-m" and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.endswith(".py"):
            return name_of_script(argument)
    return ""


def _by_settings(arguments: Sequence[str], folder: str) -> str:
    """Name a Django project after its settings, else after the folder of its ``manage.py``."""
    settings = option_value(arguments, ("--settings",))
    return name_of_module(settings, folder) if settings else "" if folder in _SILENT_FOLDERS else folder


LAUNCHERS: Final[dict[str, Callable[[Sequence[str], str], str]]] = {
    **dict.fromkeys(
        ("gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "waitress-serve", "waitress"), _by_module
    ),
    **dict.fromkeys(("arq", "dramatiq", "taskiq", "huey_consumer"), _by_module),
    **dict.fromkeys(("celery", "faust"), _by_option("-A", "--app")),
    "flask": _by_option("--app", "-A"),
    "uwsgi": _by_option("--module", "-w", "--wsgi-file"),
    **dict.fromkeys(
        ("streamlit", "fastapi", "chainlit", "panel", "bokeh", "torchrun", "torch", "accelerate"), _by_script
    ),
    **dict.fromkeys(("coverage", "cProfile", "debugpy", "memray", "viztracer"), _by_script),
    **dict.fromkeys(("manage", "django", "django-admin"), _by_settings),
}
