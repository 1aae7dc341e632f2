"""Encodes finished profiles as OTLP requests, none larger than a batch may be."""

from collections.abc import Sequence

from agent.destination import Signal
from agent.export import Exporter
from pyrometer.formats.otlp import profiles_to_otlp
from pyrometer.values import Profile


class ProfileExport:
    """Hands profiles to an exporter, several in one request, as they share most of their frames."""

    def __init__(self, exporter: Exporter, *, batch_bytes_max: int) -> None:
        self._exporter = exporter
        self._batch_bytes_max = batch_bytes_max

    def deliver(self, profiles: Sequence[Profile]) -> None:
        """Queue profiles; what does not fit one request is halved, and one that is too large alone is counted there."""
        if not profiles:
            return
        body = profiles_to_otlp(profiles)
        if len(body) > self._batch_bytes_max and len(profiles) > 1:
            middle = len(profiles) // 2
            self.deliver(profiles[:middle])
            self.deliver(profiles[middle:])
            return
        self._exporter.offer(Signal.PROFILES, body)
