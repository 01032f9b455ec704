"""What an ingestion prints: on any terminal, how many rows and why."""

import io

import pytest
from rich.console import Console

from retrieval.report import show

SUMMARY = {
    "shop": "/somewhere/shop",
    "seconds": 7.73,
    "rows": {"source lines": {"read": 541_909, "set_aside": 0, "folded": 0, "refused": 10_714, "written": 531_195}},
    "rules": [
        {
            "table": "source lines",
            "action": "refused",
            "rule": "exact_duplicate",
            "column": None,
            "rows": 5_257,
            "examples": [{"source_row": 518, "old": "same as row 495", "new": None}],
        },
        {
            "table": "products",
            "action": "changed",
            "rule": "title_normalised",
            "column": "title",
            "rows": 3_789,
            "examples": [{"source_row": 1, "old": "WHITE [HANGING] HEART", "new": "White [Hanging] Heart"}],
        },
    ],
    "assumptions": ["times are those of a clock in [London]"],
    "remarks": [],
}


@pytest.mark.parametrize("width", [80, 160])
def test_counts_and_reasons_are_whole_on_narrow_terminals_too(width: int):
    printed = io.StringIO()
    show(SUMMARY, Console(file=printed, width=width))
    lines = printed.getvalue()
    assert all(count in lines for count in ("541,909", "10,714", "5,257", "3,789"))
    assert "source lines refused: exact_duplicate" in lines
    assert "products changed: title_normalised (title)" in lines
    assert "[Hanging]" in lines and "[London]" in lines  # a merchant's brackets are text, no markup
