#!/usr/bin/env bash
# Write constraints.txt anew: what pip chooses today for the extra [dev] on this Python, in a new environment.
# Usage: constraints.sh [PYTHON]
set -euo pipefail

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bash scripts/venv.sh "$work/venv" "${1:-python3}"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check ".[dev]"
{
    echo '# Versions that are tested together, written by `make constraints`. No addresses: pip knows where its packages are.'
    # Entries with an address (editable, local files) would hold only on the machine that wrote them.
    "$work/venv/bin/python" -m pip freeze --disable-pip-version-check --exclude pyrometer |
        grep -E '^[A-Za-z0-9._-]+==[^ ]+$' | LC_ALL=C sort -f
} >"$work/constraints.txt"
mv "$work/constraints.txt" constraints.txt
echo "    $(grep -c == constraints.txt) packages pinned in constraints.txt"
