"""What the threads of a process were doing at one moment."""

import msgspec


class Local(msgspec.Struct, frozen=True):
    """
    A local variable.

    Attributes:
        name: Hostile text.
        arg: It is an argument of the function.
        repr: The value, as the engine shows it; hostile text.
    """

    name: str
    arg: bool = False
    repr: str | None = None


class DumpedFrame(msgspec.Struct, frozen=True):
    """
    One level of a stack. All text is hostile.

    Attributes:
        name: Qualified name of the function.
        filename: Its file: the part below the package, unless whole names were asked for.
        line: Being executed; 0 where unknown.
        locals: None unless asked for.
    """

    name: str
    filename: str = ""
    line: int = 0
    locals: list[Local] | None = None


class DumpedThread(msgspec.Struct, frozen=True):
    """
    A thread at that moment.

    Attributes:
        pid: Its process.
        os_thread_id: The kernel's number of it; None where unknown.
        thread_id: The address that `threading.get_ident` returns; None where unknown.
        thread_name: None where unknown.
        active: It was running or ready to run.
        owns_gil: It held the GIL.
        frames: Leaf first.
    """

    pid: int
    active: bool
    owns_gil: bool
    frames: list[DumpedFrame]
    thread_id: int | None = None
    os_thread_id: int | None = None
    thread_name: str | None = None
