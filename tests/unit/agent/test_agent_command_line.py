"""Guessing a service's name from its command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.command_line import program_name

_PYTHON = "/usr/bin/python3.11"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["python3", "app.py"], "app"),
        (["python3", "/srv/shop/server.py", "--port", "80"], "server"),
        (["python3", "-u", "/srv/shop/manage.py", "runserver"], "manage"),
        (["python3", "-m", "shop.web"], "shop.web"),
        (["python3", "-mshop"], "shop"),
        (["python3", "-uIm", "shop", "-c", "x"], "shop"),
        (["python3", "-m", "shop.__main__"], "shop"),
        (["python3", "-W", "ignore", "-X", "dev", "app.py"], "app"),
        (["python3", "-Wignore", "-Xdev", "app.py"], "app"),
        (["python3", "--check-hash-based-pycs", "always", "app.py"], "app"),
        (["python3", "/venv/bin/gunicorn", "shop:app"], "gunicorn"),
        (["python3", "/srv/shop/__main__.py"], "shop"),
        (["python3", "app.pyz"], "app"),
        (["python3", "-c", "import time; time.sleep(1)"], "python3.11"),
        (["python3", "-Ic", "pass", "app.py"], "python3.11"),
        (["python3", "-"], "python3.11"),
        (["python3"], "python3.11"),
        (["python3", "-m"], "python3.11"),
        ([], "python3.11"),
    ],
)
def test_module_or_script_gives_the_name(arguments, expected):
    """Options of the interpreter are skipped with their values; without module or script the program names itself."""
    assert program_name(arguments, _PYTHON) == expected


def test_a_program_that_embeds_python_keeps_its_own_name():
    """The arguments of uwsgi are not those of an interpreter."""
    assert program_name(["uwsgi", "-m", "thing"], "/usr/bin/uwsgi") == "uwsgi"


def test_an_unreadable_program_is_named_by_its_first_argument():
    """Where the executable is hidden, the command line is still parsed."""
    assert program_name(["/usr/bin/python3", "app.py"], "") == "app"


@given(st.lists(st.text(max_size=20), max_size=8))
def test_any_command_line_gives_a_name_and_no_error(arguments):
    """Hostile arguments cannot break the guess."""
    assert program_name(arguments, _PYTHON)
