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
    "agent": ("agent.commands.daemon", "agent", "The agent that watches this host."),
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
        module_name, extra, summary = COMMANDS[cmd_name]
        try:
            command = importlib.import_module(module_name).command
        except ModuleNotFoundError as error:
            return _missing(cmd_name, str(error.name), extra, summary)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module_name}.command is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing any of them, then the table of exit codes."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


def _missing(name: str, module: str, extra: str, summary: str) -> click.Command:
    @click.pass_context
    def explain(ctx: click.Context) -> None:
        click.echo(
            f"pyrometer {name}: the module {module} is not installed; run: pip install 'pyrometer[{extra}]'",
            err=True,
        )
        ctx.exit(2)

    return click.Command(
        name,
        callback=explain,
        help=summary,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


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
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; Python would complain once more at exit
        code = 1
    sys.exit(code if isinstance(code, int) else 0)
