"""
A real ClickHouse server for tests.

Where ``CLICKHOUSE_URL`` is set, that server is used (the form is that of the collector's ``store.url``). Else one is
started on loopback from ``libchdb.so`` of the npm package ``@chdb/lib-linux-x64-gnu``: its C function
``query_stable_v2`` runs clickhouse-local, and that one can serve the native and the HTTP port. It is ClickHouse's own
TCPHandler and HTTPHandler; it lives until its stdin closes.

    python tests/clickhouse_server.py LIBCHDB DATA_DIR TCP_PORT HTTP_PORT [CONFIG_FILE]
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

NPM_PACKAGE = "@chdb/lib-linux-x64-gnu@26.7.3-stable.1"
CACHE_DIR = Path(__file__).resolve().parent.parent / ".cache" / "clickhouse"
START_TIMEOUT_S = 60
# Where a replica is slow, another is asked too, and a connection is reset in the end: these servers die of it.
_CLUSTER_USERS = (
    "<clickhouse><profiles><default><use_hedged_requests>0</use_hedged_requests></default></profiles>"
    "<quotas><default/></quotas><users><default><password/><profile>default</profile><quota>default</quota>"
    "<networks><ip>::/0</ip></networks></default></users></clickhouse>"
)
_SERVE_QUERY = (
    "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; SELECT count() FROM file('/dev/stdin', 'LineAsString')"
)


class ServerUnavailableError(Exception):
    """No server can be had; the text says what to do."""


@contextlib.contextmanager
def clickhouse_server(data_dir: Path) -> Iterator[str]:
    """Give the URL of a running server, without a database; one that was started here ends with the block."""
    if url := os.environ.get("CLICKHOUSE_URL"):
        yield url
        return
    ports = (_free_port(), _free_port())
    process = start_server(data_dir, ports)
    try:
        yield server_url(ports)
    finally:
        stop_server(process)


def server_url(ports: tuple[int, int]) -> str:
    """Return the URL of a server that was started here."""
    return f"clickhouse://default@127.0.0.1:{ports[0]}/pyrometer?http_port={ports[1]}"


@contextlib.contextmanager
def clickhouse_cluster(data_dir: Path, name: str, *, shards: int, replicas: int) -> Iterator[list[str]]:
    """Run a cluster's servers, without a Keeper: who takes an insert writes it to each replica. Give their URLs."""
    ports = [[(_free_port(), _free_port()) for _ in range(replicas)] for _ in range(shards)]
    config = data_dir / "cluster.xml"
    users = data_dir / "users.xml"
    users.write_text(_CLUSTER_USERS, encoding="utf-8")
    config.write_text(_cluster_config(name, ports, users), encoding="utf-8")
    with contextlib.ExitStack() as stack:
        urls = []
        for pair in (pair for shard in ports for pair in shard):
            folder = data_dir / str(pair[0])
            folder.mkdir()
            stack.callback(stop_server, start_server(folder, pair, config))
            urls.append(server_url(pair))
        yield urls


def _cluster_config(name: str, ports: list[list[tuple[int, int]]], users: Path) -> str:
    replica = "<replica><host>127.0.0.1</host><port>{}</port></replica>"
    shards = "".join(
        "<shard><internal_replication>false</internal_replication>"
        + "".join(replica.format(tcp_port) for tcp_port, _ in shard)
        + "</shard>"
        for shard in ports
    )
    servers = f"<remote_servers><{name}>{shards}</{name}></remote_servers><users_config>{users}</users_config>"
    return f"<clickhouse>{servers}</clickhouse>"


def start_server(data_dir: Path, ports: tuple[int, int], config: Path | None = None) -> subprocess.Popen:
    """Start a server with its native and its HTTP port; it answers when this returns."""
    log = data_dir / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, __file__, str(server_library()), str(data_dir / "data"), *map(str, ports)]
            + ([str(config)] if config else []),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_ready(process, ports[1], ports[0], log)
    except BaseException:
        stop_server(process)
        raise
    return process


def stop_server(process: subprocess.Popen) -> None:
    """End it, as it wants to be ended; it may be gone already."""
    process.stdin.close()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def server_library() -> Path:
    """Return the path of libchdb.so: named by PYROMETER_TEST_LIBCHDB, cached, or fetched with npm into the cache."""
    if named := os.environ.get("PYROMETER_TEST_LIBCHDB"):
        if not Path(named).is_file():
            raise ServerUnavailableError(f"PYROMETER_TEST_LIBCHDB names {named}, which is not a file")
        return Path(named)
    library = CACHE_DIR / "libchdb.so"
    CACHE_DIR.mkdir(parents=True, exist_ok=True)
    with (CACHE_DIR / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes, and one of them fetches
        if not library.is_file():
            _unpack(_npm_pack(), library)
    return library


def _npm_pack() -> Path:
    packed = sorted(CACHE_DIR.glob("chdb-lib-linux-x64-gnu-*.tgz"))
    if packed:
        return packed[-1]
    if shutil.which("npm") is None:
        raise ServerUnavailableError(
            "the storage tests need a ClickHouse server: install npm (it fetches one into .cache/clickhouse), or set "
            "CLICKHOUSE_URL to a server, or PYROMETER_TEST_LIBCHDB to a libchdb.so"
        )
    done = subprocess.run(
        ["npm", "pack", "--silent", NPM_PACKAGE],
        cwd=CACHE_DIR,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    packed = sorted(CACHE_DIR.glob("chdb-lib-linux-x64-gnu-*.tgz"))
    if done.returncode != 0 or not packed:
        raise ServerUnavailableError(
            f"npm pack {NPM_PACKAGE} failed: {done.stderr.strip()[-400:]}; set CLICKHOUSE_URL to a server, or "
            "PYROMETER_TEST_LIBCHDB to a libchdb.so"
        )
    return packed[-1]


def _unpack(package: Path, library: Path) -> None:
    partial = library.with_suffix(".partial")
    with tarfile.open(package) as archive:
        member = archive.extractfile("package/libchdb.so")
        with partial.open("wb") as output:
            shutil.copyfileobj(member, output)
    partial.rename(library)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_ready(process: subprocess.Popen, http_port: int, tcp_port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerUnavailableError(f"the ClickHouse server ended: {log.read_text(errors='replace')[-2000:]}")
        try:
            with (
                urllib.request.urlopen(f"http://127.0.0.1:{http_port}/ping", timeout=1) as answer,
                socket.create_connection(("127.0.0.1", tcp_port), timeout=1),
            ):
                if answer.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
    raise ServerUnavailableError(f"the ClickHouse server did not answer within {START_TIMEOUT_S} s")


def _serve(library: str, data_dir: str, tcp_port: str, http_port: str, config: str = "") -> None:
    arguments = [
        "clickhouse",
        f"--path={data_dir}",
        f"--tcp_port={tcp_port}",
        f"--http_port={http_port}",
        "--listen_host=127.0.0.1",
        f"--query={_SERVE_QUERY}",
        *([f"--config-file={config}"] if config else []),
    ]
    argv = (ctypes.c_char_p * len(arguments))(*[argument.encode() for argument in arguments])
    query = ctypes.CDLL(library).query_stable_v2
    query.restype = ctypes.c_void_p
    Path(data_dir).mkdir(parents=True, exist_ok=True)
    os.chdir(data_dir)  # the engine writes a cache of schemas into the current directory
    query(len(arguments), argv)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
