"""What is written is true: settings, files, links, and no address of a package registry anywhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from msgspec import structs

from agent.settings import AgentSettings
from agent.settings_loader import load_agent_settings
from collector.cost import Prices
from collector.settings import CollectorSettings
from dashboard.settings import DashboardSettings
from pyrometer.config import load_settings
from pyrometer.values import FrameType

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = {"agent": AgentSettings, "collector": CollectorSettings, "dashboard": DashboardSettings, "prices": Prices}


def tracked_files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_reference_pages_match_the_code():
    """Every setting with its default, every metric and every flag of every command is on its reference page."""
    result = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (0, "") == (result.returncode, result.stderr)


@pytest.mark.parametrize("program", PROGRAMS)
def test_example_file_shows_the_defaults(program):
    """The commented example of a program loads, and changes nothing: each line in it is the default."""
    settings = load_settings(PROGRAMS[program], program=program, path=ROOT / "configs" / f"{program}.yaml")
    assert PROGRAMS[program]() == settings


@pytest.mark.parametrize("program", PROGRAMS)
def test_example_file_shows_every_setting(program):
    """No setting is missing from the commented example."""
    tree = yaml.safe_load((ROOT / "configs" / f"{program}.yaml").read_text())
    assert set() == missing_keys(PROGRAMS[program], tree)


def missing_keys(settings_type, tree, where=""):
    missing = set()
    for field in structs.fields(settings_type):
        key = f"{where}{field.name}"
        if field.name not in tree:
            missing.add(key)
        elif isinstance(field.type, type) and hasattr(field.type, "__struct_fields__"):
            missing |= missing_keys(field.type, tree[field.name], f"{key}.")
    return missing


def test_agent_example_passes_the_agents_own_checks():
    """The agent accepts its example file, with the checks that go beyond types."""
    assert AgentSettings() == load_agent_settings(ROOT / "configs" / "agent.yaml", environment={}, flags={})


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.md")) + sorted(ROOT.glob("*.md")), ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    """Each relative link of a page points to a file that exists."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [] == [target for target in targets if not (page.parent / target).exists()]


def test_no_file_names_a_package_registry():
    """Installers know where their packages are; no file of the project says it for them."""
    hosts = re.compile(rb"(pypi|pythonhosted|npmjs|yarnpkg|debian|files\.python)\.(org|com|io)(?![\w-])", re.IGNORECASE)
    named = [path for path in tracked_files() if path != Path(__file__) and hosts.search(path.read_bytes())]
    assert [] == named


def test_frame_types_follow_the_semantic_conventions():
    """Frame types are the conventions' words; the one of ours is marked as such."""
    assert {"cpython", "native", "kernel", "marker"} == {frame_type.value for frame_type in FrameType}
