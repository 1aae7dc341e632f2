#!/usr/bin/env bash
# Install Debian's development release into a directory, for the Pythons that are newer than ours:
#   debian_sid.sh DIRECTORY PYTHON...        debian_sid.sh .cache/debian-sid python3.14 python3.15
# Afterwards DIRECTORY/bin/PYTHON runs one of them: in a mount namespace of its own, on a root file system of its own, with
# the project and /tmp where they are outside, and with the pid that the caller was given. As root; some 300 MB.
# What the release does not have (any more, or yet) is left out, and said.
set -euo pipefail

directory=$(realpath -m "$1")
shift
root=$directory/root
project=$(realpath "$(dirname "$0")/..")

if ! [ -e "$root/.complete" ]; then
    bash "$(dirname "$0")/system_packages.sh" debootstrap=debootstrap
    # The mirror that this system itself is installed from.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Label: Debian' | head -n 1)
    if [ -z "$mirror" ]; then
        echo "This system's apt has no Debian mirror; sid cannot be installed from it." >&2
        exit 1
    fi
    rm -rf "$root"
    mkdir -p "$directory"
    echo "    debootstrap sid into $root"
    if ! debootstrap --variant=minbase sid "$root" "$mirror" >"$directory/log" 2>&1; then
        tail -n 20 "$directory/log" >&2
        exit 1
    fi
    touch "$root/.complete"
fi

mkdir -p "$directory/bin"
for python in "$@"; do
    if ! [ -x "$root/usr/bin/$python" ]; then
        echo "    apt-get install $python, in sid"
        if ! chroot "$root" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends "$python" >>"$directory/log" 2>&1; then
            echo "    sid has no $python" >&2
            continue
        fi
    fi
    mkdir -p "$root$project"
    cat >"$directory/bin/$python" <<WRAPPER
#!/bin/sh
exec unshare --mount sh -c '
set -e
for path in "$project" /tmp /proc /dev; do mount --rbind "\$path" "$root\$path"; done
cd "\$PWD"
exec chroot "$root" sh -c "cd \\"\$PWD\\" 2>/dev/null; exec /usr/bin/$python \\"\\\$@\\"" sh "\$@"
' sh "\$@"
WRAPPER
    chmod +x "$directory/bin/$python"
done
