#!/usr/bin/env bash
# Make a virtual environment: venv.sh DIRECTORY [PYTHON]
# Looks for a Python of at least 3.11; where the interpreter lacks venv (Debian splits it off), installs it as root, and
# otherwise says what to install.
set -euo pipefail

directory=$1
wanted=${2:-python3}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=
for candidate in "$wanted" python3.11 python3.12 python3.13 python3.14 /usr/bin/python3; do
    if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "No Python 3.11 or later here ($wanted is not). Install one (Debian: apt-get install python3 python3-venv)," >&2
    echo "or name one: make PYTHON=/path/to/python3.12" >&2
    exit 1
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    bash "$(dirname "$0")/system_packages.sh" --always "python$version-venv"
fi

"$python" -m venv --clear "$directory"
