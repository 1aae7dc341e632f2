"""Which changes of settings are applied to an agent that runs."""

from agent.reloading import compare_settings
from agent.settings import (
    AgentSettings,
    ExportSettings,
    HttpSettings,
    Match,
    SamplingSettings,
    SpoolSettings,
    TargetSettings,
)


def test_the_same_settings_are_no_change():
    """Settings read again without an edit leave everything as it is."""
    change = compare_settings(AgentSettings(), AgentSettings())
    assert (AgentSettings(), (), ()) == (change.settings, change.applied, change.waiting)


def test_what_changed_is_named_and_applied():
    """Every key that differs is named, whatever its depth and type."""
    read = AgentSettings(
        sampling=SamplingSettings(rate_hz=49),
        targets=TargetSettings(deny=(Match(user="^www-data$"),)),
        export=ExportSettings(profiles_url="http://collector:4318/profiles"),
    )
    change = compare_settings(AgentSettings(), read)

    assert read == change.settings
    assert ("export.profiles_url", "sampling.rate_hz", "targets.deny") == change.applied


def test_the_own_address_and_the_spool_s_place_wait_for_a_restart():
    """Those in force are kept beside the other changes, and the keys are named as waiting."""
    read = AgentSettings(
        http=HttpSettings(address="127.0.0.1:9999"),
        sampling=SamplingSettings(rate_hz=49),
        export=ExportSettings(spool=SpoolSettings(directory="/elsewhere")),
    )
    change = compare_settings(AgentSettings(), read)

    assert ("export.spool.directory", "http.address") == change.waiting
    assert "" == change.settings.export.spool.directory
    assert ("sampling.rate_hz",) == change.applied
    assert HttpSettings() == change.settings.http
    assert 49 == change.settings.sampling.rate_hz
