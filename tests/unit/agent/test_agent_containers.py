"""Container, pod and unit from cgroup paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.containers import Placement, parse_placement

ID = "0123456789abcdef" * 4
OTHER_ID = "fedcba9876543210" * 4
UID = "3f1c2a5e-8d77-4b0c-9a51-0c2f4e6a7b89"
UID_IN_SLICE = UID.replace("-", "_")
TASK = "0123456789abcdef0123456789abcdef"
POD_SLICE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_IN_SLICE}.slice"


@pytest.mark.parametrize(
    ("cgroup", "container_id", "pod_uid", "unit"),
    [
        # Docker: systemd driver and cgroupfs driver, both versions.
        (f"0::/system.slice/docker-{ID}.scope", ID, "", ""),
        (f"12:cpu,cpuacct:/docker/{ID}\n1:name=systemd:/docker/{ID}\n", ID, "", ""),
        (f"3:cpu:/system.slice/docker-{ID}.scope\n0::/\n", ID, "", ""),
        (f"13:name=systemd:/docker-ce/docker/{ID}\n", ID, "", ""),
        # An inner systemd, and a container in a container.
        (f"0::/system.slice/docker-{ID}.scope/system.slice/shop.service", ID, "", "shop.service"),
        (f"0::/docker/{OTHER_ID}/docker/{ID}", ID, "", ""),
        (f"0::/docker/{OTHER_ID}/kubelet{POD_SLICE}/cri-containerd-{ID}.scope", ID, UID, ""),
        # Kubernetes: containerd, CRI-O, Docker through cri-dockerd, each driver, each class of service.
        (f"0::{POD_SLICE}/cri-containerd-{ID}.scope", ID, UID, ""),
        (f"0::/kubepods/burstable/pod{UID}/{ID}", ID, UID, ""),
        (f"11:memory:/kubepods/besteffort/pod{UID}/{ID}\n1:name=systemd:/\n", ID, UID, ""),
        (f"0::/kubepods.slice/kubepods-pod{UID_IN_SLICE}.slice/crio-{ID}.scope", ID, UID, ""),
        (f"0::/kubepods.slice/kubepods-pod{UID_IN_SLICE}.slice/crio-{ID}.scope/container", ID, UID, ""),
        (f"0::{POD_SLICE}/docker-{ID}.scope", ID, UID, ""),
        (f"0::/kubepods/pod{TASK}/{ID}", ID, TASK, ""),
        (f"0::/kubepods.slice/kubepods-burstable-pod{TASK}.slice/cri-containerd-{ID}.scope", ID, TASK, ""),
        (
            f"9:cpu:/system.slice/containerd.service/kubepods-burstable-pod{UID_IN_SLICE}.slice:cri-containerd:{ID}",
            ID,
            UID,
            "",
        ),
        # As seen from another cgroup namespace.
        (f"0::/../../kubepods-besteffort-pod{UID_IN_SLICE}.slice/cri-containerd-{ID}.scope", ID, UID, ""),
        # Podman: as root, as a user, under a unit of systemd (quadlet), and its monitor, which is not in the container.
        (f"0::/machine.slice/libpod-{ID}.scope", ID, "", ""),
        (f"0::/machine.slice/libpod-{ID}.scope/container", ID, "", ""),
        (f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/container", ID, "", ""),
        (f"0::/system.slice/shop.service/libpod-payload-{ID}", ID, "", "shop.service"),
        (f"0::/machine.slice/libpod-conmon-{ID}.scope", "", "", ""),
        (f"0::/kubepods.slice/crio-conmon-{ID}.scope", "", "", ""),
        # nerdctl, Amazon ECS on machines and on Fargate, Cloud Foundry.
        (f"0::/system.slice/nerdctl-{ID}.scope", ID, "", ""),
        (f"4:cpu:/ecs/{TASK}/{ID}", ID, "", ""),
        (f"4:cpu:/ecs/{TASK}/{TASK}-2571041318", f"{TASK}-2571041318", "", ""),
        ("4:cpu:/garden/70a34b7c-61f2-4c8b-5e3e-a1b2", "70a34b7c-61f2-4c8b-5e3e-a1b2", "", ""),
        # systemd without containers.
        ("0::/system.slice/shop.service", "", "", "shop.service"),
        ("1:name=systemd:/system.slice/shop.service\n0::/system.slice/shop.service\n", "", "", "shop.service"),
        ("9:cpu:/\n1:name=systemd:/system.slice/shop.service\n", "", "", "shop.service"),
        ("0::/system.slice/system-shop.slice/shop@blue.service", "", "", "shop@blue.service"),
        (r"0::/system.slice/shop\x2dweb.service/workers", "", "", r"shop\x2dweb.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service", "", "", "shop.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope", "", "", ""),
        ("0::/user.slice/user-1000.slice/session-1.scope", "", "", ""),
        ("0::/system.slice/docker.service", "", "", "docker.service"),
        # What is none of them.
        ("0::/", "", "", ""),
        ("0::/lxc.payload.web1/init.scope", "", "", ""),
        (f"0::/x/{ID}ff", "", "", ""),
        (f"0::/system.slice/{UID}", "", "", ""),
        (f"0::/system.slice/{'x' * 300}.service", "", "", ""),
        ("no colons", "", "", ""),
        ("", "", "", ""),
    ],
)
def test_each_runtime_path_tells_container_pod_and_unit(cgroup, container_id, pod_uid, unit):
    """Paths as the runtimes write them give the innermost id, the pod's uid with dashes, and the service's unit."""
    expected = Placement(container_id=container_id, pod_uid=pod_uid, systemd_unit=unit)

    assert expected == parse_placement(cgroup)


@given(st.text(max_size=400))
def test_any_text_is_a_placement(text):
    """Whatever the file holds, nothing is raised."""
    assert isinstance(parse_placement(text), Placement)


def test_long_repeated_names_cost_little():
    """A path made to make the patterns backtrack is read at once."""
    parse_placement("0::/" + "/".join(["a-" * 2000 + "z", "pod-" * 2000, "0" * 4000]))
