"""Where batches go."""

import ssl
import uuid
from pathlib import Path

import pytest
from agent_processes import HttpSink, wait_until

from agent.batch import Batch
from agent.compression import Compression
from agent.destination import Signal, resolve_destination
from agent.settings import ExportSettings
from agent.settings_loader import load_agent_settings
from agent.standard_names import standard_log_level, with_standard_names
from agent.transport import Transport
from pyrometer.errors import ConfigError

CERTIFICATES = Path(__file__).parent / "certificates"


def resolve(environment, **flags):
    named = with_standard_names(environment, endpoint_given="export.endpoint" in flags)
    settings = load_agent_settings(None, environment=named, flags=flags)
    return settings, resolve_destination(settings.export, environment)


def test_signals_have_their_own_paths():
    """The base endpoint gets the path of each signal, with or without a slash at its end."""
    for endpoint in ("http://c:4318", "http://c:4318/"):
        assert resolve_destination(ExportSettings(endpoint=endpoint), {}).urls == {
            Signal.METRICS: "http://c:4318/v1/metrics",
            Signal.PROFILES: "http://c:4318/v1development/profiles",
        }


def test_standard_variables_are_honoured():
    """Endpoint, timeout, interval, compression, headers and certificates come from OTEL_* where set."""
    settings, destination = resolve(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:9/base",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m:1/only",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
            "OTEL_METRIC_EXPORT_INTERVAL": "15000",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20abc, x = y ,bad",
            "OTEL_EXPORTER_OTLP_PROFILES_HEADERS": "x=z",
            "OTEL_EXPORTER_OTLP_INSECURE": "TRUE",
        }
    )

    assert destination.urls == {
        Signal.METRICS: "http://m:1/only",
        Signal.PROFILES: "https://c:9/base/v1development/profiles",
    }
    assert (settings.export.timeout_s, settings.metrics.interval_s) == (2.5, 15.0)
    metrics, profiles = destination.routes[Signal.METRICS], destination.routes[Signal.PROFILES]
    assert (metrics.compression, metrics.timeout_s) == (Compression.NONE, 2.5)
    assert metrics.headers["authorization"] == "Bearer abc"
    assert (metrics.headers["x"], profiles.headers["x"]) == ("y", "z")


def test_a_flag_beats_the_standard_variables():
    """With --endpoint, neither the base nor a signal's own variable says where to."""
    _, destination = resolve(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://no:1", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://no:2"},
        **{"export.endpoint": "http://yes:3"},
    )

    assert destination.urls[Signal.METRICS] == "http://yes:3/v1/metrics"
    assert destination.urls[Signal.PROFILES] == "http://yes:3/v1development/profiles"


def test_our_own_variable_beats_the_standard_one():
    """PYROMETER_AGENT_EXPORT__ENDPOINT is the more specific of the two."""
    _, destination = resolve(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://no:1", "PYROMETER_AGENT_EXPORT__ENDPOINT": "http://yes:3"}
    )

    assert destination.urls[Signal.METRICS] == "http://yes:3/v1/metrics"


def test_a_signal_has_its_own_form_of_each_variable():
    """It beats the form for all signals, for that signal alone."""
    _, destination = resolve(
        {
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1000",
            "OTEL_EXPORTER_OTLP_PROFILES_TIMEOUT": "9000",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION": "none",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://m:1/only",
            "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE": str(CERTIFICATES / "ca.pem"),
            "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE": str(CERTIFICATES / "client.pem"),
            "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY": str(CERTIFICATES / "client.pem"),
        }
    )
    metrics, profiles = destination.routes[Signal.METRICS], destination.routes[Signal.PROFILES]

    assert (metrics.timeout_s, profiles.timeout_s) == (1.0, 9.0)
    assert (metrics.compression, profiles.compression) == (Compression.NONE, Compression.GZIP)
    assert [authority["subject"] for authority in metrics.tls.get_ca_certs()] == [
        ((("commonName", "test authority"),),)
    ]
    assert profiles.tls is None


def test_our_own_variable_beats_a_signals_own_form():
    """PYROMETER_AGENT_EXPORT__TIMEOUT_S is for this agent; the standard ones are for any program."""
    _, destination = resolve({"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "1000", "PYROMETER_AGENT_EXPORT__TIMEOUT_S": "7"})

    assert destination.routes[Signal.METRICS].timeout_s == 7.0


def test_paths_are_text_whatever_they_look_like():
    """A file named like a number is still a file."""
    settings, _ = resolve(
        {
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "0123",
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": "it's: [",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "true",
        }
    )

    assert (settings.export.ca_file, settings.export.key_file) == ("0123", "it's: [")


def test_a_configuration_file_is_the_sole_source(caplog):
    """With OTEL_CONFIG_FILE set the other standard variables say nothing, and the log says so."""
    settings, destination = resolve(
        {
            "OTEL_CONFIG_FILE": "/otel.yaml",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://no:1",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_HEADERS": "x=y",
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "1",
        }
    )

    assert settings.export == ExportSettings()
    assert "x" not in destination.routes[Signal.METRICS].headers
    assert destination.routes[Signal.METRICS].timeout_s == ExportSettings().timeout_s
    assert "OTEL_CONFIG_FILE" in caplog.text


@pytest.mark.parametrize(("text", "enabled"), [("true", False), ("TRUE", False), ("false", True), ("1", True)])
def test_the_sdk_can_be_disabled(text, enabled):
    """OTEL_SDK_DISABLED ends the metrics of host and agent; watching other processes is not an SDK's work."""
    settings, _ = resolve({"OTEL_SDK_DISABLED": text})

    assert settings.metrics.enabled is enabled


@pytest.mark.parametrize(
    "other", [{"PYROMETER_AGENT_METRICS__ENABLED": "true"}, {"OTEL_CONFIG_FILE": "/etc/otel.yaml"}]
)
def test_a_disabled_sdk_stays_disabled(other):
    """The SDK reads OTEL_SDK_DISABLED itself: neither our own setting nor a configuration file undoes it."""
    settings, _ = resolve({"OTEL_SDK_DISABLED": "true", **other})

    assert settings.metrics.enabled is False


@pytest.mark.parametrize(
    ("text", "level"), [("debug", "debug"), (" WARN ", "warn"), ("warning", "info"), ("", "info"), ("all", "info")]
)
def test_the_standard_log_level_is_followed_where_it_is_known(text, level):
    """A word of other SDKs that is none of ours is no error: the variable may be there for them."""
    known = ("error", "warn", "info", "debug")
    assert standard_log_level({"OTEL_LOG_LEVEL": text}, known=known) == level


def test_a_temporality_that_is_not_sent_is_told(caplog):
    """The variable is known, and that it is not followed is said."""
    resolve({"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"})

    assert "cumulative" in caplog.text


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_PROFILES_PROTOCOL"])
@pytest.mark.parametrize("protocol", ["grpc", "http/json"])
def test_other_protocols_are_refused(name, protocol):
    """The variable is named with what the agent speaks; with an address from a flag it meant another place."""
    with pytest.raises(ConfigError, match=f"{name}.*{protocol}.*http/protobuf"):
        with_standard_names({name: protocol}, endpoint_given=False)
    assert with_standard_names({name: protocol}, endpoint_given=True)
    assert with_standard_names({name: "http/protobuf"}, endpoint_given=False)


@pytest.mark.parametrize(
    ("endpoint", "environment", "settings"),
    [
        ("http://c:4318", {}, {"token": "secret"}),
        ("http://user:pw@c:4318", {}, {"token": "secret"}),
        ("http://192.0.2.1", {"OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20secret"}, {}),
    ],
)
def test_a_token_does_not_travel_in_the_clear(endpoint, environment, settings):
    """Plain http to another machine is refused, without showing the secret; insecure allows it."""
    with pytest.raises(ConfigError, match=r"clear.*export\.insecure") as error:
        resolve_destination(ExportSettings(endpoint=endpoint, **settings), environment)
    assert [word for word in ("secret", "pw") if word in str(error.value)] == []
    allowed = resolve_destination(ExportSettings(endpoint=endpoint, insecure=True, **settings), environment)
    assert allowed.urls[Signal.METRICS].startswith(endpoint)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4318", "http://localhost", "http://[::1]:1", "https://c"])
def test_a_token_may_go_where_nobody_listens(endpoint):
    """This machine, and an encrypted connection."""
    assert resolve_destination(ExportSettings(endpoint=endpoint, token="secret"), {}).token.value() == "secret"


@pytest.mark.parametrize("text", ["two words", "line\nbreak", "ü", "\x00", "  "])
def test_what_is_no_token_is_refused(text, tmp_path):
    """Given or in a file, without showing it."""
    path = tmp_path / "token"
    path.write_text(text)
    for settings in ({"token": text}, {"token_file": str(path)}):
        with pytest.raises(ConfigError, match=r"export\.token") as error:
            resolve_destination(ExportSettings(**settings), {})
        assert text not in str(error.value)


def test_a_token_file_that_is_missing_is_named():
    """The agent does not start without it."""
    with pytest.raises(ConfigError, match=r"export\.token_file = '/nowhere': cannot be read: No such file"):
        resolve_destination(ExportSettings(token_file="/nowhere"), {})


def test_a_token_file_that_goes_leaves_the_last_token(tmp_path, caplog):
    """It is told once, and what comes back is read."""
    path = tmp_path / "token"
    path.write_text("first")
    token = resolve_destination(ExportSettings(token_file=str(path)), {}).token
    path.unlink()

    assert [token.value(), token.value()] == ["first", "first"]
    assert len(caplog.records) == 1
    path.write_text("second")
    assert token.value() == "second"


@pytest.mark.parametrize("headers", ["x=a%0d%0aEvil: b", "a%20b=c", "x=%C3%BC", "=v"])
def test_a_header_that_cannot_be_sent_is_refused(headers):
    """Nothing gets into a request that would be another line of it."""
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_HEADERS"):
        resolve_destination(ExportSettings(), {"OTEL_EXPORTER_OTLP_HEADERS": headers})


@pytest.mark.parametrize("name", ["ca_file", "certificate_file"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_certificate_that_cannot_be_used_is_named(tmp_path, name, content):
    """Missing or damaged: the agent does not start."""
    path = tmp_path / "x.pem"
    if content:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"certificates in .*x\.pem cannot be used"):
        resolve_destination(ExportSettings(endpoint="https://c", **{name: str(path)}), {})


@pytest.fixture
def strict_sink():
    """A server that wants a certificate of its clients."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=CERTIFICATES / "ca.pem")
    context.load_cert_chain(CERTIFICATES / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    sink = HttpSink(tls=context)
    yield sink
    sink.close()


@pytest.mark.parametrize(
    ("files", "arrives"),
    [(("ca_file", "certificate_file"), True), (("ca_file",), False), (("certificate_file",), False)],
)
def test_both_sides_prove_who_they_are(strict_sink, files, arrives):
    """With our certificate and their authority it works; without either, nothing is sent."""
    names = {"ca_file": "ca.pem", "certificate_file": "client.pem"}
    settings = ExportSettings(endpoint=strict_sink.url, **{name: str(CERTIFICATES / names[name]) for name in files})
    transport = Transport(resolve_destination(settings, {}), Signal.METRICS)
    failure = transport.send(a_batch(b"metrics"), 5.0)
    transport.close()

    assert (failure is None) is arrives
    if arrives:
        wait_until(lambda: strict_sink.received)
    assert [received.body for received in strict_sink.received] == [b"metrics"] * arrives


def a_batch(body):
    return Batch(
        origin=uuid.uuid4(),
        sequence=1,
        signal=Signal.METRICS,
        compression=Compression.NONE,
        created_s=0.0,
        body=body,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "deflate"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ],
)
def test_a_wrong_standard_variable_is_named(name, value):
    """The error names the variable that was set, and its value."""
    with pytest.raises(ConfigError, match=f"{name}.*{value}"):
        with_standard_names({name: value}, endpoint_given=False)
