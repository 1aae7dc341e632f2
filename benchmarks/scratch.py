"""Interpreters to watch, and environments under ``.cache/`` for what the project itself does not depend on."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CACHE: Final = ROOT / ".cache" / "benchmarks"
SID: Final = ROOT / ".cache" / "debian-sid"
_INSTALL_TIMEOUT_S: Final = 600


class UnavailableError(Exception):
    """Something to compare with cannot be had here; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python to watch: its version as ``3.12``, and its program."""

    version: str
    path: Path


@cache
def find_interpreters() -> tuple[Interpreter, ...]:
    """
    Return one interpreter of each version from 3.11 on: the one that runs this, of pyenv, on the PATH, of Debian sid.

    The last are there after ``make soak``; see scripts/debian_sid.sh.
    """
    candidates = [Path(sys._base_executable)]  # type: ignore[attr-defined]  # noqa: SLF001 (the one below a venv)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    candidates += sorted(pyenv.glob("versions/3.*/bin/python3"), reverse=True)
    candidates += [Path(found) for minor in range(11, 16) if (found := shutil.which(f"python3.{minor}"))]
    candidates += sorted(SID.glob("bin/python3.*"))
    chosen: dict[str, Path] = {}
    for candidate in candidates:
        version = _version_of(candidate)
        if version and tuple(map(int, version.split("."))) >= (3, 11):
            chosen.setdefault(version, candidate)
    return tuple(Interpreter(version, chosen[version]) for version in sorted(chosen))


def choose_interpreters(versions: list[str] | None) -> tuple[Interpreter, ...]:
    """
    Return those that were asked for, or all.

    Raises:
        SystemExit: One that was asked for is not here.
    """
    found = {interpreter.version: interpreter for interpreter in find_interpreters()}
    if missing := set(versions or ()) - found.keys():
        raise SystemExit(f"no Python {', '.join(sorted(missing))} here; there are {', '.join(found)}")
    return tuple(found[version] for version in versions or found)


def scratch_python(interpreter: Interpreter, *packages: str) -> Path:
    """
    Return the Python of a virtual environment that has these packages, made where it is missing.

    Raises:
        UnavailableError: The environment or a package cannot be had.
    """
    folder = CACHE / f"venv-{interpreter.version}"
    python = folder / "bin" / "python"
    if not python.exists():
        _run([str(interpreter.path), "-m", "venv", "--clear", str(folder)])
    for package in packages:
        mark = folder / ".installed" / package.translate(str.maketrans("<>=", "___"))
        if not mark.exists():
            print(f"installing {package} for Python {interpreter.version} into {folder}", flush=True)
            _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package])
            mark.parent.mkdir(exist_ok=True)
            mark.touch()
    return python


def _version_of(python: Path) -> str:
    """Return a CPython's version, or nothing where it is none with a GIL."""
    code = (
        "import sys, sysconfig\n"
        "if sys.implementation.name == 'cpython' and not sysconfig.get_config_var('Py_GIL_DISABLED'):\n"
        "    print('%d.%d' % sys.version_info[:2])"
    )
    try:
        finished = subprocess.run([str(python), "-c", code], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return finished.stdout.strip()


def _run(command: list[str]) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(str(error)) from error
    if finished.returncode:
        lines = (finished.stderr or finished.stdout).strip().splitlines()
        raise UnavailableError(lines[-1] if lines else f"{command[0]} ended with {finished.returncode}")
