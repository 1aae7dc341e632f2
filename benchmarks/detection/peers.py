"""Runs the peers that are libraries, in an environment of their own, so that the project depends on none of them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

HERE: Final = Path(__file__).resolve().parent
ENVIRONMENT: Final = HERE.parent.parent / ".cache" / "detection-peers"
_SECONDS_MAX: Final = 3600


def install() -> Path:
    """Return the interpreter of the peers' environment, which is made on first use."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(HERE / "peers.txt")], check=True)
        done.touch()
    return python


def run_peer(python: Path, name: str, series: list[NDArray[np.float64]]) -> tuple[list[list[int]], float] | None:
    """Return what a peer finds in each series and its mean milliseconds a series, or None when it fails."""
    lines = "".join(json.dumps(values.tolist()) + "\n" for values in series)
    try:
        result = subprocess.run(
            [str(python), str(HERE / "peer_worker.py"), name],
            input=lines,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS_MAX,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return None
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    return [answer["found"] for answer in answers], float(np.mean([answer["ms"] for answer in answers]))
