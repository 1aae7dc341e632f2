"""
``pyrometer up``: the whole system on one machine, as supervised child processes.

    commands    the command line: checks, then one supervisor
    plan        which parts there are, their commands and addresses (pure)
    ports       which ports are free, and who holds the others
    lock        one ``up`` for one data directory
    supervisor  starts, watches, restarts and stops the parts
    slot        one part over its life: what to do when it dies
    child       one child process and its log file
    processes   what the kernel offers so that nothing outlives ``up``
    guard       a tiny process that clears up after an ``up`` that was killed
    stopping    signals as a value to look at
    backoff     how long to wait before a restart
    report      lines for a log, a live display for a terminal
"""

from pyrometer.up.commands import command

__all__ = ["command"]
