#!/usr/bin/env bash
# Install system packages that are missing: system_packages.sh [--always PACKAGE]... [COMMAND=PACKAGE]...
# A package is missing where its command is not on the PATH; a name with .so in it is a library, looked for as such. As root on a system with apt it is installed; otherwise
# this says exactly what to run, and fails.
set -euo pipefail

missing=()
while [ $# -gt 0 ]; do
    case $1 in
        --always)
            missing+=("$2")
            shift
            ;;
        *.so*=*) /sbin/ldconfig -p | grep -qF "${1%%=*}" || missing+=("${1#*=}") ;;
        *) command -v "${1%%=*}" >/dev/null || missing+=("${1#*=}") ;;
    esac
    shift
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "These system packages are missing: ${missing[*]}" >&2
    echo "Install them, then run make again. On Debian or Ubuntu: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi

echo "    apt-get install ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get could not install: ${missing[*]}" >&2
    exit 1
fi
