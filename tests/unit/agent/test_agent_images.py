"""The image of a container, from files as its runtime writes them."""

import json

import pytest

from agent.images import find_image, split_reference

ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("shop", ("shop", "")),
        ("shop:1.2", ("shop", "1.2")),
        ("registry.example.org:5000/team/shop:1.2", ("registry.example.org:5000/team/shop", "1.2")),
        ("registry.example.org:5000/team/shop", ("registry.example.org:5000/team/shop", "")),
        ("team/shop:1.2@sha256:abc", ("team/shop", "1.2")),
        ("team/shop@sha256:abc", ("team/shop", "")),
        ("", ("", "")),
    ],
)
def test_a_reference_has_a_name_and_a_tag(reference, expected):
    """A registry's port is no tag, and a digest is left out."""
    assert split_reference(reference) == expected


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (f"var/lib/docker/containers/{ID}/config.v2.json", {"Config": {"Image": "shop:1.2"}}),
        (
            f"run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json",
            {"annotations": {"io.kubernetes.cri.image-name": "shop:1.2"}},
        ),
        (
            f"run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json",
            {"annotations": {"io.kubernetes.cri.image-name": "shop:1.2"}},
        ),
        (
            f"run/containers/storage/overlay-containers/{ID}/userdata/config.json",
            {"annotations": {"io.kubernetes.cri-o.ImageName": "shop:1.2"}},
        ),
    ],
)
def test_each_runtime_keeps_the_image_in_a_file(tmp_path, path, content):
    """Docker, containerd, k3s and CRI-O tell the image's name, on the host or seen from a container of the agent's."""
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(content))

    assert find_image(ID, (str(tmp_path / "absent"), str(tmp_path))) == "shop:1.2"


@pytest.mark.parametrize(
    "text",
    [
        '{"Config": {"Image": "sha256:0123"}}',
        '{"Config": {"Image": 7}}',
        '{"Config": []}',
        "[]",
        "{",
        "[" * 100_000,
        "",
    ],
)
def test_files_that_do_not_tell_are_passed_over(tmp_path, text):
    """An image without a name, another shape and broken JSON give nothing."""
    file = tmp_path / f"var/lib/docker/containers/{ID}/config.v2.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)

    assert find_image(ID, (str(tmp_path),)) == ""
