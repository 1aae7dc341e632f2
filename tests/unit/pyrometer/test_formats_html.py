"""The self-contained page: what is in it, and what cannot get out of its data."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from pyrometer.flamegraph import bundle_source
from pyrometer.formats.html import FUNCTIONS_MAX, profile_to_html
from pyrometer.values import Frame, Sample
from tests.builders import a_profile, a_rich_profile

HOSTILE = "</script><script>alert(1)</script><!--&amp;\u2028\u2029{{script}}\\u003c"


class Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.blocks, self.title, self.policy = [], {}, "", ""
        self._inside = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self._inside = attributes.get("id") or tag
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]

    def handle_data(self, data):
        self.blocks[self._inside] = self.blocks.get(self._inside, "") + data

    def handle_endtag(self, tag):  # noqa: ARG002
        self._inside = None

    @property
    def data(self):
        return json.loads(self.blocks["data"])


def read_tree(tree) -> list[tuple]:
    """Read the columns as src/page.ts does: (path, file, start, total, self) per node."""
    paths = []
    for name, parent in zip(tree["name"], tree["parent"], strict=True):
        above = paths[parent] if paths else ()
        paths.append((*above, tree["strings"][name]))
    files = [tree["strings"][file] for file in tree["file"]]
    return list(zip(paths, files, tree["start"], tree["total"], tree["self"], strict=True))


def test_the_page_holds_the_tree_and_the_functions():
    """A reader of the columns finds every frame with its value, and the table the largest own times first."""
    data = Page(profile_to_html(a_profile(), "a title")).data
    assert read_tree(data["tree"]) == [
        (("all",), "", 0, 90_000_000, 0),
        (("all", "main"), "/srv/main.py", 0, 90_000_000, 0),
        (("all", "main", "work"), "/srv/work.py", 0, 80_000_000, 50_000_000),
        (("all", "main", "work", "read"), "/srv/read.py", 0, 30_000_000, 30_000_000),
        (("all", "main", "idle"), "/srv/idle.py", 80_000_000, 10_000_000, 10_000_000),
    ]
    assert data["functions"][:2] == [
        ["work", "/srv/work.py", 50_000_000, 80_000_000],
        ["read", "/srv/read.py", 30_000_000, 30_000_000],
    ]


def test_the_script_reads_every_column_that_the_page_holds():
    """The data and the script that reads it stay in step."""
    tree = Page(profile_to_html(a_profile(), "a title")).data["tree"]
    script = bundle_source("page")
    for column in tree.keys() - {"total_value"}:
        assert re.search(rf"columns\d*\.{column}\b", script), column
    assert "total_value" in script


def test_the_facts_say_what_was_recorded():
    """Process, duration, samples and rate."""
    facts = dict(Page(profile_to_html(a_profile(), "a title")).data["facts"])
    assert facts["Process"] == "4711"
    assert facts["Duration"] == "10.0 s"
    assert facts["Samples"] == "9"
    assert facts["Rate"] == "100 Hz"


def test_hostile_names_stay_data():
    """No name, title or attribute adds an element, ends the script or is put in a second time."""
    stack = (Frame(HOSTILE, HOSTILE, 1),)
    profile = a_profile(samples=(Sample(stack=stack, count=1, value=1),), attributes={"service.name": HOSTILE})
    page = Page(profile_to_html(profile, HOSTILE))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in Page(profile_to_html(a_profile(), "plain")).tags]
    assert page.blocks["title"].startswith(HOSTILE)
    assert page.data["title"] == HOSTILE
    assert page.data["tree"]["strings"] == ["all", "", HOSTILE]
    assert not set("<>&\u2028\u2029") & set(page.blocks["data"])


def test_the_policy_allows_the_own_script_and_style_only():
    """Nothing is loaded from anywhere, and what runs is what the hashes say."""
    page = Page(profile_to_html(a_rich_profile(), "a title"))
    assert page.policy.startswith("default-src 'none'; ")
    for directive, block in (("script-src", "script"), ("style-src", "style")):
        digest = base64.b64encode(hashlib.sha256(page.blocks[block].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in page.policy
    assert not [attributes for _, attributes in page.tags if {"src", "href", "style", "onclick"} & attributes.keys()]
    assert not re.search(r"https?://|@import|url\(", page.blocks["script"] + page.blocks["style"])


def test_the_table_is_bounded():
    """A program of many functions gives a page of bearable size, which says how many there were."""
    profile = a_profile({f"main;f{number}": 1 for number in range(FUNCTIONS_MAX + 50)})
    data = Page(profile_to_html(profile, "a title")).data
    assert (len(data["functions"]), data["functions_total"]) == (FUNCTIONS_MAX, FUNCTIONS_MAX + 51)


def test_an_empty_profile_gives_a_page():
    """Nothing was sampled: the page says so, and its data is whole."""
    data = Page(profile_to_html(a_profile({}), "a title")).data
    assert (data["tree"]["total_value"], data["functions"]) == (0, [])
