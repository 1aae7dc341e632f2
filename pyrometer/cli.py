"""The command line's root: loads the module of a command when that command runs; an agent loads no dashboard."""

import importlib
import sys
from typing import Final

import click

from pyrometer import __version__
from pyrometer.errors import EXIT_CODES, PyrometerError

# command -> (module that defines it, the extra that installs what it needs, one line of help)
COMMANDS: Final[dict[str, tuple[str, str, str]]] = {
    "up": ("pyrometer.up", "all", "Start collector, agent and dashboard on this machine."),
    "record": ("agent.commands.record", "agent", "Record a profile of one process to a file."),
    "top": ("agent.commands.top", "agent", "Show which functions use the time of one process, live."),
    "dump": ("agent.commands.dump", "agent", "Print the current stack of each thread of one process."),
    "doctor": ("agent.commands.doctor", "agent", "Say what the agent can see on this host, and how to mend the rest."),
    "agent": ("agent.commands.daemon", "agent", "The agent that watches this host."),
    "detect": (
        "collector.detect_command",
        "collector",
        "Find what changed: in services, or along series of a CSV.",
    ),
    "check": ("collector.check.command", "collector", "Compare two releases: what got slower or dearer."),
    "deploy": ("pyrometer.deploy.commands", "all", "Tell of a release that is rolled out, and of what it touches."),
    "query": ("pyrometer.query_command", "all", "Print what any route of the query API answers."),
    "store": ("pyrometer.store_command", "all", "What a collector has stored, and what it takes on the disk."),
    "collector": ("collector.commands", "collector", "The collector, its store and its API."),
    "dashboard": ("dashboard.commands", "dashboard", "The web pages."),
    "demo": ("pyrometer.demo.commands", "demo", "The demo web service and its load."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when that command is used, and takes its ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands, whether installed or not."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module_name = COMMANDS[cmd_name][0]
        command = importlib.import_module(module_name).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module_name}.command is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing any of them, then the table of exit codes."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.version_option(__version__, "-V", "--version", prog_name="pyrometer")
def root() -> None:
    """Measure where Python services spend their time, from outside the process."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command and leave with its exit code: one clear line instead of a traceback for what can be expected."""
    try:
        code = root.main(args=arguments, prog_name="pyrometer", standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except KeyboardInterrupt:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except PyrometerError as error:
        click.echo(f"pyrometer: {error}", err=True)
        code = error.exit_code
    except ModuleNotFoundError as error:
        code = _explain_missing(error, sys.argv[1:] if arguments is None else arguments)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; Python would complain once more at exit
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _explain_missing(error: ModuleNotFoundError, arguments: list[str]) -> int:
    """Say which extra brings a library that is not installed; a module of ours that is missing is a defect."""
    missing = str(error.name)
    if missing.partition(".")[0] in {"agent", "collector", "dashboard", "pyrometer"}:
        raise error
    extra = next((COMMANDS[argument][1] for argument in arguments if argument in COMMANDS), "all")
    click.echo(f"pyrometer: the module {missing} is not installed; run: pip install 'pyrometer[{extra}]'", err=True)
    return 2
