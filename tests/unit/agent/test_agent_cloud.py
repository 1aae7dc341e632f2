"""What cloud a machine is rented from."""

import json

import pytest

from agent.cloud import read_cloud


def test_what_cloud_init_wrote_becomes_resource_attributes(tmp_path):
    """Provider under the conventions' name, region, and the type of EC2 or Azure, whichever is there."""
    path = tmp_path / "instance-data.json"
    document = {
        "v1": {"cloud_name": "aws", "region": "eu-central-1"},
        "ds": {"meta_data": {"instance-type": "m7i.large"}},
    }
    path.write_text(json.dumps(document))
    assert read_cloud(path) == {"cloud.provider": "aws", "cloud.region": "eu-central-1", "host.type": "m7i.large"}

    azure = {"v1": {"cloud_name": "azure"}, "ds": {"meta_data": {"imds": {"compute": {"vmSize": "Standard_D4s_v5"}}}}}
    path.write_text(json.dumps(azure))
    assert read_cloud(path) == {"cloud.provider": "azure", "host.type": "Standard_D4s_v5"}

    path.write_text(json.dumps({"v1": {"cloud_name": "gce", "region": "europe-west3"}}))
    assert read_cloud(path) == {"cloud.provider": "gcp", "cloud.region": "europe-west3"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"v1": [], "ds": {"meta_data": "x"}}',
        b'{"v1": {"cloud_name": 7, "region": null}}', b" " * 2_000_000,
    ],
)  # fmt: skip
def test_a_damaged_file_says_nothing(tmp_path, body):
    """Cut, of another shape, nested without end, or too large: no attribute, and no exception."""
    path = tmp_path / "instance-data.json"
    path.write_bytes(body)
    assert read_cloud(path) == {}


def test_a_machine_without_cloud_init_is_in_no_cloud(tmp_path):
    """No file, or a folder in its place."""
    assert read_cloud(tmp_path / "missing") == read_cloud(tmp_path) == {}


def test_names_are_bounded(tmp_path):
    """A region of a million characters is cut."""
    path = tmp_path / "instance-data.json"
    path.write_text(json.dumps({"v1": {"region": "x" * 100_000}}))
    assert read_cloud(path) == {"cloud.region": "x" * 256}
