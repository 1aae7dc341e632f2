"""A real collector with TLS, tokens and tenants, asked over the network."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import grpc
import pytest
import urllib3
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.api.routes import ROUTES, WRITE_ROUTES
from collector.auth.tokens import Role, add_token, new_token
from pyrometer.client import ApiError, CollectorClient, Credentials
from tests.contract.api_data import add_spans
from tests.contract.collector_process import CollectorProcess, free_port, running_collector

CERTIFICATES = Path(__file__).resolve().parent.parent / "unit" / "agent" / "certificates"
CA = CERTIFICATES / "ca.pem"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
# Whatever a route needs to be asked for at all.
PARAMETERS = {"service": "shop-of-one", "baseline": "1", "candidate": "2"}


class SecureCollector(CollectorProcess):
    """Asked over TLS, with a token where one is given."""

    def request(self, method, path, body=b"", *, token="", **headers):
        named = headers | ({"authorization": f"Bearer {token}"} if token else {})
        return super().request(method, path, body, **named)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """A token for each role of two tenants, and the file that keeps them."""
    path = tmp_path_factory.mktemp("tokens") / "tokens.json"
    made = {"file": path}
    for tenant in ("one", "two"):
        for role in Role:
            made[tenant, role], entry = new_token(role, tenant=tenant)
            add_token(path, entry)
    return made


@pytest.fixture(scope="module")
def collector(tmp_path_factory, tokens):
    """A collector in which tenant one has stored spans of its service, and tenant two of another."""
    grpc_address = f"127.0.0.1:{free_port()}"
    with running_collector(
        tmp_path_factory.mktemp("secure"),
        *("--grpc-address", grpc_address),
        scheme="https",
        pool=urllib3.PoolManager(ca_certs=str(CA)),
        PYROMETER_COLLECTOR_AUTH__TOKENS_FILE=str(tokens["file"]),
        PYROMETER_COLLECTOR_HTTP__TLS__CERTIFICATE_FILE=str(CERTIFICATES / "server.pem"),
        PYROMETER_COLLECTOR_HTTP__TLS__KEY_FILE=str(CERTIFICATES / "server.pem"),
    ) as process:
        process.__class__ = SecureCollector
        process.grpc_address = grpc_address
        for tenant in ("one", "two"):
            body = some_spans(f"shop-of-{tenant}")
            answer = process.post("/v1/traces", body, token=tokens[tenant, Role.INGEST])
            assert 200 == answer.status, answer.data
        for tenant in ("one", "two"):
            wait_until_listed(process, f"shop-of-{tenant}", tokens[tenant, Role.READ])
        yield process


def wait_until_listed(process, service, token):
    process.wait_until(
        lambda: service in process.request("GET", "/api/v1/services", token=token).data.decode(), "storing the spans"
    )


def some_spans(service):
    request = ExportTraceServiceRequest()
    add_spans(request, service, "1", [(int(time.time()) - 5, "GET /", 1_000_000, False)])
    return request.SerializeToString()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_no_route_shows_another_tenants_data(route, collector, tokens):
    """Whatever is asked, also by name, an answer holds what its own tenant sent and not a word of the other's."""
    names = {name for name in PARAMETERS if name in route.query.__struct_fields__}
    for tenant, other in (("one", "two"), ("two", "one")):
        asked = {name: PARAMETERS[name] for name in names}
        reading = tokens[tenant, route.role]
        if "service" in names:
            about_other, about_nobody = (
                collector.request("GET", f"{route.full_path}?{urlencode(asked | {'service': name})}", token=reading)
                for name in (f"shop-of-{other}", "shop-of-nobody")
            )
            assert about_nobody.status == about_other.status
            assert content_of(about_nobody, "nobody") == content_of(about_other, other)
        else:
            answer = collector.request("GET", f"{route.full_path}?{urlencode(asked)}", token=reading)
            assert (200, False) == (answer.status, f"shop-of-{other}" in answer.data.decode())


def content_of(answer, service):
    """An answer as text, without the name that was asked for and the moment it was asked at."""
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\d{10}", "", answer.data.decode().replace(f"shop-of-{service}", ""))


@pytest.mark.parametrize("route", [*ROUTES, *WRITE_ROUTES], ids=lambda route: f"{type(route).__name__}{route.path}")
def test_every_route_asks_for_a_token(route, collector, tokens):
    """Without a token each route answers 401, with one for something else 403; before it looks at anything else."""
    if getattr(route, "signed", False):
        pytest.skip("its body proves who sent it")
    method, needed = ("POST" if route in WRITE_ROUTES else "GET", route.role)
    assert 401 == collector.request(method, route.full_path).status
    other = Role.READ if needed is Role.INGEST else Role.INGEST
    assert 403 == collector.request(method, route.full_path, token=tokens["one", other]).status


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/metrics", "/v1development/profiles"])
def test_every_receiver_asks_for_a_token(path, collector, tokens):
    """Nothing is stored for who has no token, or one that only reads."""
    refused = collector.post(path, b"")
    assert (401, b"needed" in refused.data) == (refused.status, True)
    assert 403 == collector.post(path, b"", token=tokens["one", Role.READ]).status
    assert 200 == collector.post(path, b"", token=tokens["one", Role.INGEST]).status


def test_liveness_is_open_and_metrics_are_not(collector, tokens):
    """A load balancer needs no token; a scraper needs one that reads."""
    for path in ("/healthz", "/readyz", "/version", "/openapi.json"):
        assert 200 == collector.request("GET", path).status
    assert 401 == collector.request("GET", "/metrics").status
    assert 200 == collector.request("GET", "/metrics", token=tokens["two", Role.READ]).status


def test_the_client_passes_token_and_authority(collector, tokens, tmp_path):
    """The client that dashboard and command line use reads its token from a file, and trusts the CA it is given."""
    token_file = tmp_path / "token"
    token_file.write_text(tokens["one", Role.READ] + "\n")
    trusting = CollectorClient(collector.url, 10, credentials=Credentials(token_file=token_file, ca_file=CA))
    assert ["shop-of-one"] == [row.service for row in trusting.services("-1h").services]
    with pytest.raises(ApiError, match="401"):
        CollectorClient(collector.url, 10, credentials=Credentials(ca_file=CA)).services("-1h")


def test_the_query_command_prints_what_a_route_answers(collector, tokens, tmp_path):
    """With a token in a file it is served like any reader; without, it exits 1 and says what is needed."""
    token_file = tmp_path / "token"
    token_file.write_text(tokens["two", Role.READ])
    command = [*(sys.executable, "-m", "pyrometer", "query"), *("--collector", collector.url, "--ca-file", str(CA))]

    def run(*arguments):
        return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)

    table = run("services", "start=-1h", "--token-file", str(token_file))
    assert (0, True, False) == (table.returncode, "shop-of-two" in table.stdout, "shop-of-one" in table.stdout)
    listed = run("services", "--format", "json", "--token-file", str(token_file))
    assert ["shop-of-two"] == [row["service"] for row in json.loads(listed.stdout)["services"]]
    refused = run("services")
    assert (1, True) == (refused.returncode, "Bearer" in refused.stderr)


def test_only_an_administrator_sees_what_the_store_takes(collector, tokens, tmp_path):
    """Tables and services of the token's tenant with their rows; a token that reads is refused."""

    def run(role, *arguments):
        token_file = tmp_path / role
        token_file.write_text(tokens["two", role])
        command = [*(sys.executable, "-m", "pyrometer", "store", "stats"), *("--collector", collector.url)]
        command += ["--ca-file", str(CA), "--token-file", str(token_file), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    table = run(Role.ADMIN)
    assert (0, True, False) == (table.returncode, "shop-of-two" in table.stdout, "shop-of-one" in table.stdout)
    answer = json.loads(run(Role.ADMIN, "--format", "json").stdout)
    spans = next(row for row in answer["tables"] if row["table"] == "spans")
    assert answer["services"][0].keys() == {"service", "table", "rows", "stored_bytes"}
    assert {"service": "shop-of-two", "table": "spans", "rows": 1, "stored_bytes": spans["stored_bytes"]} in (
        answer["services"]
    )
    assert spans["rows"] == 1
    refused = run(Role.READ)
    assert (1, True) == (refused.returncode, "admin" in refused.stderr)


def test_grpc_is_encrypted_by_the_same_files_and_asks_for_the_same_tokens(collector, tokens):
    """A call with the CA and a token is taken, one without a token is not; in the clear nothing is answered."""
    credentials = grpc.ssl_channel_credentials(CA.read_bytes())
    metadata = [("authorization", f"Bearer {tokens['one', Role.INGEST]}")]
    with grpc.secure_channel(collector.grpc_address, credentials) as channel:
        export = channel.unary_unary(EXPORT)
        assert export(some_spans("shop-of-one"), metadata=metadata, timeout=20) == b""
        with pytest.raises(grpc.RpcError) as caught:
            export(some_spans("shop-of-one"), timeout=20)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with grpc.insecure_channel(collector.grpc_address) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(EXPORT)(some_spans("shop-of-one"), metadata=metadata, timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_token_that_is_made_later_counts_without_a_restart(collector, tokens):
    """The command writes it to the file; the collector finds it there."""
    text, entry = new_token(Role.READ, tenant="one")
    assert collector.request("GET", "/api/v1/services", token=text).status == 401
    add_token(tokens["file"], entry)
    collector.wait_until(
        lambda: collector.request("GET", "/api/v1/services", token=text).status == 200, "knowing the new token"
    )


def test_plain_http_is_not_answered(collector):
    """A listener that encrypts takes nothing in the clear."""
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.request("GET", collector.url.replace("https", "http") + "/healthz", timeout=5, retries=False)


def test_clients_without_a_certificate_are_turned_away(tmp_path):
    """With a client CA, only who shows a certificate of it gets as far as asking."""
    with running_collector(
        tmp_path / "data",
        *("--log-format", "json"),
        scheme="https",
        pool=urllib3.PoolManager(ca_certs=str(CA), cert_file=str(CERTIFICATES / "client.pem")),
        PYROMETER_COLLECTOR_HTTP__TLS__CERTIFICATE_FILE=str(CERTIFICATES / "server.pem"),
        PYROMETER_COLLECTOR_HTTP__TLS__KEY_FILE=str(CERTIFICATES / "server.pem"),
        PYROMETER_COLLECTOR_HTTP__TLS__CLIENT_CA_FILE=str(CA),
    ) as collector:
        credentials = Credentials(ca_file=CA, certificate_file=CERTIFICATES / "client.pem")
        assert [] == CollectorClient(collector.url, 10, credentials=credentials).services("-1h").services
        with urllib3.PoolManager(ca_certs=str(CA)) as pool, pytest.raises(urllib3.exceptions.HTTPError):
            pool.request("GET", collector.url + "/healthz", timeout=10, retries=False)
        assert {"info"} == {json.loads(line)["level"] for line in collector.log().splitlines()}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"HTTP__ADDRESS": "0.0.0.0:0"}, "token create"),
        ({"AUTH__TOKENS_FILE": "/nowhere/tokens.json"}, "holds no token"),
        ({"HTTP__TLS__CERTIFICATE_FILE": "/nowhere/cert.pem"}, "both needed"),
        ({"HTTP__TLS__CERTIFICATE_FILE": "/no/c", "HTTP__TLS__KEY_FILE": "/no/k"}, "/no/c cannot be read"),
        ({"HTTP__TLS__CERTIFICATE_FILE": str(CA), "HTTP__TLS__KEY_FILE": str(CA)}, "cannot be used"),
    ],
)  # fmt: skip
def test_it_refuses_to_start_less_safe_than_asked(settings, said, tmp_path):
    """Open to the network without tokens, or with half of the encryption: exit code 2 and what to do."""
    done = subprocess.run(
        [sys.executable, "-m", "pyrometer", "collector", "run", "--data-dir", str(tmp_path)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        | {f"PYROMETER_COLLECTOR_{key}": value for key, value in settings.items()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (2, True) == (done.returncode, said in done.stderr), done.stderr


def test_the_command_makes_a_token_that_the_collector_would_know(tmp_path):
    """`token create` prints a token once; `token list` shows who has it, and nothing of the secret."""
    path = tmp_path / "tokens.json"

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "pyrometer", "collector", "token", *arguments, "--tokens-file", str(path)],
            capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip

    token = run("create", "--role", "ingest", "--tenant", "acme", "--name", "build hosts").strip()
    listed = run("list")
    assert ["ingest", "acme", "build hosts"] == [listed.rstrip("\n").split("\t")[i] for i in (1, 2, 4)]
    assert token.split("_", 2)[2] not in listed + path.read_text()
