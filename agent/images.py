"""Which image a container runs, as the files of its runtime tell; the runtime itself is never asked."""

from functools import lru_cache
from pathlib import Path

import msgspec

from agent.procfs import read_start

# The host's root as it is, and as an agent in a container with the host's pids sees it.
ROOTS = ("", "/proc/1/root")
_CONFIG_BYTES_MAX = 1_048_576
_REFERENCE_CHARS_MAX = 512
# Where each runtime keeps what it started a container with, and the keys that lead to the image's name.
_FILES = (
    ("var/lib/docker/containers/{id}/config.v2.json", ("Config", "Image")),
    (
        "run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json",
        ("annotations", "io.kubernetes.cri.image-name"),
    ),
    (
        "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/{id}/config.json",
        ("annotations", "io.kubernetes.cri.image-name"),
    ),
    (
        "run/containers/storage/overlay-containers/{id}/userdata/config.json",
        ("annotations", "io.kubernetes.cri-o.ImageName"),
    ),
)


def split_reference(reference: str) -> tuple[str, str]:
    """Return name and tag of an image, ``registry:5000/shop:1.2@sha256:…``; the tag is empty where there is none."""
    name = reference[:_REFERENCE_CHARS_MAX].partition("@")[0]
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return folder + slash + last, tag


@lru_cache(maxsize=1024)
def find_image(container_id: str, roots: tuple[str, ...] = ROOTS) -> str:
    """Return the reference of a container's image, or nothing where no file tells; it is asked once for each."""
    for root in roots:
        for template, keys in _FILES:
            text = read_start(str(Path(f"{root}/{template.format(id=container_id)}")), _CONFIG_BYTES_MAX)
            if text and (reference := _look_up(text, keys)):
                return reference
    return ""


def _look_up(text: bytes, keys: tuple[str, ...]) -> str:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return ""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    # An id instead of a name tells nothing about the release.
    return found if isinstance(found, str) and not found.startswith("sha256:") else ""
