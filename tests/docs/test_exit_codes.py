"""The page about exit codes says what the commands do."""

from pathlib import Path

from pyrometer.errors import EXIT_CODES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "exit-codes.md"


def test_the_page_lists_every_code_with_its_meaning():
    """No more and no fewer than the program has, in its words."""
    rows = [line.split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    documented = {int(cells[1]): cells[2].strip() for cells in rows if cells[1].strip().isdigit()}
    assert EXIT_CODES == documented
