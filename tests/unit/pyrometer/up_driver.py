"""
Programs for the tests of the supervisor, each run as a process of its own.

    supervise LOGS PARTS READY_TIMEOUT_S   a supervisor over parts given as JSON: name -> {"mode", "port", "needs"}
    serve PORT MODE                        a part that answers 200 on PORT; MODE says how it misbehaves
"""

import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

SLEEP = (sys.executable, "-S", "-c", "import time; time.sleep(600)")


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        pass


def serve(port: int, mode: str) -> None:
    sys.stderr.write(f"serving {port} as {os.getpid()}\n")
    match mode:
        case "misconfigured":
            sys.stderr.write("the setting colour is wrong\n")
            sys.exit(2)
        case "crashing":
            sys.stderr.write("out of luck\n")
            sys.exit(7)
        case "silent":
            while True:
                signal.pause()
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case "parent":
            # In a session of its own: neither the group of its parent nor a signal to it reaches this one.
            subprocess.Popen(SLEEP, start_new_session=True)
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        case _:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    HTTPServer(("127.0.0.1", port), Answer).serve_forever()


def supervise(logs: str, parts_json: str, ready_timeout_s: float) -> int:
    from pyrometer.up.plan import Part  # noqa: PLC0415  the parts must start fast
    from pyrometer.up.report import reporter_for  # noqa: PLC0415
    from pyrometer.up.supervisor import Supervisor  # noqa: PLC0415

    parts = [
        Part(
            name=name,
            command=(sys.executable, "-S", __file__, "serve", str(spec["port"]), spec.get("mode", "")),
            address=f"http://127.0.0.1:{spec['port']}",
            ready_urls=(f"http://127.0.0.1:{spec['port']}/",),
            needs=tuple(spec.get("needs", ())),
        )
        for name, spec in json.loads(parts_json).items()
    ]
    reporter = reporter_for(sys.stdout)
    supervisor = Supervisor(
        parts,
        reporter=reporter,
        log_directory=Path(logs),
        when_ready=lambda: reporter.line("all ready"),
        stop_total_s=3.0,
        ready_timeout_s=ready_timeout_s,
    )
    return supervisor.run()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), sys.argv[3])
    else:
        sys.exit(supervise(sys.argv[2], sys.argv[3], float(sys.argv[4])))
