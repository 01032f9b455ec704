"""What `copywriting/agreement.py` promises, one behaviour a test."""

import pytest

from copywriting.agreement import disagreement, is_plural


@pytest.mark.parametrize("name", ["Stillzone Headphones", "Rainlane Chelsea Boots", "JEANS", "Cat Treats!"])
def test_a_plural_is_told_by_the_last_word(name):
    assert is_plural(name)


@pytest.mark.parametrize(
    "name", ["Wool Dress", "Table Tennis", "Desk Cactus", "Boots Bag", "Lamp", "S", "Term Savings", "Zoom lens", "", "Cat Tins (new)"]
)
def test_words_that_end_in_s_by_themselves_are_no_plurals(name):
    assert not is_plural(name)


@pytest.mark.parametrize(
    ("template", "verb"),
    [
        ("{name} is the door", "is"),
        ("So {name} isn't here", "isn't"),
        ("{name} comes in {color}", "comes"),
        ("{name} gives you time", "gives"),
        ("{name} this week", None),
        ("{name} always, {name} plus {gift}", None),
        ("{name}, as is", None),
        ("{name} will wait", None),
        ("{name} thus", None),
        ("{brand} is here with {name}", None),
    ],
)
def test_a_singular_verb_behind_a_plural_name_is_seen(template, verb):
    assert disagreement(template, "name") == verb
    assert disagreement(template.replace("{name}", "{also}"), "also") == verb
