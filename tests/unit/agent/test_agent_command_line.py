"""Guessing a service's name, and a process's part in it, from its command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.command_line import Program, Role, parse_program

_PYTHON = "/usr/bin/python3.11"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["python3", "app.py"], "app"),
        (["python3", "/srv/shop/server.py", "--port", "80"], "server"),
        (["python3", "-m", "shop.web"], "shop.web"),
        (["python3", "-mshop"], "shop"),
        (["python3", "-uIm", "shop", "-c", "x"], "shop"),
        (["python3", "-m", "shop.__main__"], "shop"),
        (["python3", "-W", "ignore", "-X", "dev", "app.py"], "app"),
        (["python3", "-Wignore", "-Xdev", "app.py"], "app"),
        (["python3", "--check-hash-based-pycs", "always", "app.py"], "app"),
        (["python3", "/srv/shop/__main__.py"], "shop"),
        (["python3", "app.pyz"], "app"),
        (["myname", "app.py"], "app"),
    ],
)
def test_module_or_script_gives_the_name(arguments, expected):
    """Options of the interpreter are skipped with their values, and the process is called after what it runs."""
    assert parse_program(arguments, _PYTHON) == Program(name=expected)


@pytest.mark.parametrize(
    "arguments",
    [
        ["python3", "-c", "import time; time.sleep(1)"],
        ["python3", "-Ic", "pass", "app.py"],
        ["python3", "-"],
        ["python3"],
        ["python3", "-m"],
        [],
    ],
)
def test_code_without_a_name_leaves_it_to_who_started_it(arguments):
    """Without module or script the interpreter's name stands in, and is said to be no name of its own."""
    assert parse_program(arguments, _PYTHON) == Program(name="python3.11", names_itself=False)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["/venv/bin/gunicorn", "shop:app"], "shop"),
        (["/venv/bin/gunicorn", "-w", "4", "-b", "0.0.0.0:8000", "shop.wsgi:application"], "shop"),
        (["/venv/bin/gunicorn", "shop.web:create_app()", "--log-level", "info"], "shop.web"),
        (["/venv/bin/gunicorn", "-c", "python:conf", "--bind", "unix:/run/x.sock", "shop.wsgi"], "shop"),
        (["/venv/bin/gunicorn", "shop.wsgi", "-w", "4"], "shop"),
        (["/venv/bin/gunicorn", "-c", "gunicorn.conf.py"], "gunicorn"),
        (["-m", "gunicorn", "-k", "uvicorn.workers.UvicornWorker", "shop.asgi:app"], "shop"),
        (["-m", "uvicorn", "--factory", "shop.main:create", "--workers", "4"], "shop"),
        (["/venv/bin/uvicorn", "main:app", "--host", "0.0.0.0"], "checkout"),
        (["/venv/bin/hypercorn", "shop:app"], "shop"),
        (["/venv/bin/daphne", "-p", "8000", "shop.asgi:application"], "shop"),
        (["/venv/bin/granian", "--interface", "asgi", "shop:app"], "shop"),
        (["/venv/bin/waitress-serve", "--listen=127.0.0.1:80", "shop:app"], "shop"),
        (["/venv/bin/celery", "-A", "shop", "worker", "-l", "info"], "shop"),
        (["-m", "celery", "--app=shop.celery", "beat"], "shop"),
        (["/venv/bin/celery", "-Ashop", "worker"], "shop"),
        (["/venv/bin/celery", "worker"], "celery"),
        (["/venv/bin/dramatiq", "shop.tasks", "--processes", "2"], "shop.tasks"),
        (["-m", "flask", "--app", "hello", "run"], "hello"),
        (["/venv/bin/flask", "--app=shop.web:app", "run"], "shop.web"),
        (["/venv/bin/flask", "--app", "src/shop.py", "run"], "shop"),
        (["/venv/bin/flask", "run"], "flask"),
        (["/venv/bin/streamlit", "run", "/srv/board/report.py", "--server.port", "80"], "report"),
        (["-m", "streamlit", "run", "report.py"], "report"),
        (["/venv/bin/fastapi", "run", "shop.py"], "shop"),
        (["-m", "torch.distributed.run", "--nproc_per_node=2", "train.py"], "train"),
        (["-m", "cProfile", "-o", "x", "job.py"], "job"),
        (["/venv/bin/coverage", "run", "-m", "shop.job"], "shop.job"),
        (["/srv/shop/manage.py", "runserver", "0.0.0.0:8000"], "shop"),
        (["manage.py", "runserver"], "checkout"),
        (["manage.py", "migrate", "--settings=shop.settings"], "shop"),
        (["-m", "django", "runserver", "--settings", "shop.settings"], "shop"),
        (["/app/manage.py", "runserver"], "manage"),
    ],
)
def test_a_launcher_is_called_after_the_application_it_runs(arguments, expected):
    """Servers, task queues and runners give way to the application among their arguments, where one is told."""
    assert parse_program(["python3", *arguments], _PYTHON, "checkout") == Program(name=expected)


@pytest.mark.parametrize(
    ("code", "role"),
    [
        ("from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)", Role.WORKER),
        ("from multiprocessing.forkserver import main; main(4, 5, [], **{})", Role.HELPER),
        ("from multiprocessing.resource_tracker import main;main(3)", Role.HELPER),
        ("from multiprocessing.semaphore_tracker import main;main(3)", Role.HELPER),
        ("from billiard.spawn import spawn_main; spawn_main()", Role.WORKER),
        ("from joblib.externals.loky.backend.resource_tracker import main; main(3, False)", Role.HELPER),
    ],
)
def test_processes_of_multiprocessing_show_their_part(code, role):
    """The code that the standard library starts its processes with tells workers from helpers, and names nothing."""
    expected = Program(name="python3.11", names_itself=False, role=role)

    assert expected == parse_program(["python3", "-c", code, "--multiprocessing-fork"], _PYTHON)


def test_workers_of_loky_are_workers():
    """Joblib starts its workers as a module that is not the service's."""
    arguments = ["python3", "-m", "joblib.externals.loky.backend.popen_loky_posix", "--process-name", "LokyProcess-1"]

    assert parse_program(arguments, _PYTHON) == Program(name="python3.11", names_itself=False, role=Role.WORKER)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("gunicorn: master [shop.wsgi:application]", Program(name="shop", role=Role.MAIN)),
        ("gunicorn: worker [shop]", Program(name="shop", role=Role.WORKER)),
        ("[celeryd: celery@h1:MainProcess] -active- (-A shop worker)", Program(name="shop", role=Role.MAIN)),
        (
            "[celeryd: celery@h1:ForkPoolWorker-2]",
            Program(name="celery", names_itself=False, role=Role.WORKER),
        ),
        ("myapp: job 1234 of a customer", Program(name="myapp", names_itself=False)),
        ("[queue] waiting for work", Program(name="queue", names_itself=False)),
        (": - : -", Program(name="python3.11", names_itself=False)),
    ],
)
def test_a_title_written_over_the_command_line_is_understood(title, expected):
    """Titles of known servers tell application and part; of others at most the first word is taken."""
    assert parse_program([title], _PYTHON) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["uwsgi", "-m", "thing"], "uwsgi"),
        (["uwsgi", "--http", ":80", "--module", "shop.wsgi:application"], "shop"),
        (["uwsgi", "--wsgi-file", "/srv/shop/web.py"], "web"),
        (["blender: scene", "x"], "uwsgi"),
    ],
)
def test_a_program_that_embeds_python_keeps_its_own_name(arguments, expected):
    """The arguments of another program are not those of an interpreter."""
    assert parse_program(arguments, "/usr/bin/uwsgi").name == expected


def test_an_unreadable_program_is_named_by_its_first_argument():
    """Where the executable is hidden, the command line is still parsed."""
    assert parse_program(["/usr/bin/python3", "app.py"], "").name == "app"


_WORDS = st.one_of(st.text(max_size=20), st.sampled_from(["-m", "-c", "-A", "gunicorn", "manage.py", "--app=", "a:b"]))


@given(st.lists(_WORDS, max_size=8), st.sampled_from([_PYTHON, "", "/usr/bin/uwsgi"]), st.text(max_size=8))
def test_any_command_line_gives_a_name_and_no_error(arguments, executable, folder):
    """Hostile arguments cannot break the guess."""
    parsed = parse_program(arguments, executable, folder)

    assert parsed.name or not executable
