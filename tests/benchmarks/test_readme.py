"""The pages of figures say what the results say."""

import json

from benchmarks import readme


def test_a_headline_is_shown_in_both_languages_and_one_that_was_not_measured_is_left_out(tmp_path):
    name, figure, english, chinese = readme.HEADLINES[0]
    (tmp_path / f"{name}.json").write_text(json.dumps({"command": "python -m benchmarks.x", "figures": {figure: 12345}}))
    assert readme.headlines(tmp_path, 2).splitlines()[2:] == [f"| {english} (`python -m benchmarks.x`) | 12,345 |"]
    assert readme.headlines(tmp_path, 3).splitlines()[2:] == [f"| {chinese} (`python -m benchmarks.x`) | 12,345 |"]


def test_every_page_is_up_to_date():
    stale = [path.name for path, text in readme.pages(readme.RESULTS).items() if path.read_text(encoding="utf-8") != text]
    assert not stale, "run python -m benchmarks.readme"
