"""Where a recording may be sent to, and what the answers mean."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceResponse

from agent.adhoc.upload import profiles_url, upload_profile
from pyrometer.errors import ConfigError, PyrometerError
from pyrometer.formats.otlp import otlp_to_profiles
from pyrometer.values import Frame, Profile, Sample

PROFILE = Profile(samples=(Sample(stack=(Frame("f", "a.py", 1),), count=2, value=20),), start_unix_ns=1, period_ns=10)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1development/profiles"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1development/profiles"),
        ("https://host/otlp/?x=1#y", "https://host/otlp/v1development/profiles"),
        ("http://[::1]:4318/v1development/profiles", "http://[::1]:4318/v1development/profiles"),
    ],
)
def test_the_path_of_profiles_is_added_to_a_base_address(endpoint, expected):
    """As OTLP has it for its base endpoint; a whole address stays as it is."""
    assert expected == profiles_url(endpoint)


@pytest.mark.parametrize(
    "endpoint", ["", "host:4318", "ftp://h", "http://", "http://h:x", "http://h:99999", "http://["]
)
def test_what_is_no_address_is_refused(endpoint):
    """Before anything is recorded."""
    with pytest.raises(ConfigError, match="not an address; write it as http://HOST:PORT"):
        profiles_url(endpoint)


class Receiver(BaseHTTPRequestHandler):
    """Keeps what is posted and answers what the test wants."""

    answer = (200, b"")
    bodies: list[tuple[str, bytes]]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).bodies.append((f"{self.path} {self.headers['Content-Type']}", body))
        status, content = type(self).answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *args):  # noqa: A002
        pass


@pytest.fixture
def receiver() -> Iterator[tuple[str, type[Receiver]]]:
    handler = type("OneReceiver", (Receiver,), {"bodies": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("content", [b"", b"thanks", ExportProfilesServiceResponse().SerializeToString()])
def test_a_profile_is_posted_whole(receiver, content):
    """As OTLP protobuf, to the path of profiles; 200 is success whatever words come with it."""
    url, handler = receiver
    handler.answer = (200, content)
    upload_profile(PROFILE, url)
    ((request, body),) = handler.bodies
    assert "/v1development/profiles application/x-protobuf" == request
    assert PROFILE.counts() == otlp_to_profiles(body)[0].counts()


def test_a_refusal_behind_status_200_is_an_error(receiver):
    """OTLP's partial success: the reason is shown, and cannot steer the terminal."""
    url, handler = receiver
    response = ExportProfilesServiceResponse()
    response.partial_success.rejected_profiles = 1
    response.partial_success.error_message = "too old\x1b[2J"
    handler.answer = (200, response.SerializeToString())
    with pytest.raises(PyrometerError, match=r"refused the profile: too old\\x1b\[2J$"):
        upload_profile(PROFILE, url)


@pytest.mark.parametrize("status", [302, 400, 503])
def test_any_other_status_is_an_error_with_its_reason(receiver, status):
    """Redirects are not followed: a profile goes only where it was sent."""
    url, handler = receiver
    handler.answer = (status, b"because")
    with pytest.raises(PyrometerError, match=f"status {status}: because"):
        upload_profile(PROFILE, url)
