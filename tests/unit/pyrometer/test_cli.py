"""The command line's root: lazy, and one clear line instead of a traceback."""

import subprocess
import sys

import click
import pytest

from pyrometer import __version__, cli
from pyrometer.errors import EXIT_CODES, TargetNotFoundError


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pyrometer", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_lists_every_command_and_exit_code():
    """Help shows what can be run, and what each exit code means."""
    result = run("--help")
    assert 0 == result.returncode
    for name in cli.COMMANDS:
        assert f"\n  {name} " in result.stdout
    for code in EXIT_CODES:
        assert f"\n  {code} " in result.stdout


def test_version_is_the_package_version():
    """-V prints the version and nothing else to look for."""
    assert f"pyrometer, version {__version__}\n" == run("-V").stdout


def test_unknown_command_is_a_usage_error():
    """A command that does not exist ends with 2 and points to the help."""
    result = run("recrod")
    assert 2 == result.returncode
    assert "No such command 'recrod'" in result.stderr


def test_help_imports_no_program():
    """Listing the commands loads none of the programs behind them."""
    code = (
        "import sys\nfrom pyrometer import cli\n"
        "try:\n cli.main(['--help'])\nexcept SystemExit: pass\n"
        "loaded = {'agent', 'collector', 'dashboard', 'streamlit', 'chdb', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'loaded {loaded}' if loaded else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (0, "") == (result.returncode, result.stderr)


def a_command_that_raises(error):
    @click.command("probe")
    def probe():
        raise error

    return probe


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (TargetNotFoundError("no process 4; check the pid"), 4, "pyrometer: no process 4; check the pid\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.UsageError("bad flag"), 2, "Error: bad flag\n"),
    ],
)
def test_errors_become_exit_codes(monkeypatch, capsys, error, code, told):
    """An expected error is one line on standard error and its exit code."""
    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda _self, _ctx, _name: a_command_that_raises(error))
    with pytest.raises(SystemExit) as left:
        cli.main(["probe"])
    assert code == left.value.code
    assert capsys.readouterr().err.endswith(told)


def test_a_missing_extra_says_what_to_install(monkeypatch, capsys):
    """A command whose dependencies are not installed names the extra, and ends with 2."""
    monkeypatch.setitem(cli.COMMANDS, "probe", ("no_such_module_here", "agent", "A probe."))
    with pytest.raises(SystemExit) as left:
        cli.main(["probe", "-p", "1"])
    assert 2 == left.value.code
    assert "no_such_module_here is not installed; run: pip install 'pyrometer[agent]'" in capsys.readouterr().err
