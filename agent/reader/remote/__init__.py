"""Our own stack reader: `RemoteEngine` reads the interpreter's structures from outside, and never stops the target."""

from agent.reader.remote.engine import RemoteEngine

__all__ = ["RemoteEngine"]
