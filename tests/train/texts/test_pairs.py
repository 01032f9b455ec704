"""Pairs of texts of which one did better: what A/B outcomes say, what judgements say, and what the scorer makes of them."""

import json

import numpy as np
import pytest
import torch
from scipy.stats import norm

from copywriting.principles import PRINCIPLES
from train import persuasion
from train.persuasion import Lessons, PersuasionConfig, judged_pairs, known_loss
from train.run.settings import ConfigError
from train.texts import classifier
from train.texts.judged_copy import LABELS
from train.texts.pairs import Pair, PairColumns, hold_out, parts, read_pairs, standard_errors

OUTCOMES = [
    {"test": f"t{number}", "picture": picture, "text": text, "impressions": 1000, "clicks": clicks}
    for number in range(6)
    for picture, text, clicks in (("a", f"warm {number}", 60), ("a", f"cold {number}", 20), ("b", f"warm {number}", 40), ("b", "so so", 38))
]


def write(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_variants_are_compared_within_a_test_and_where_all_else_is_equal(tmp_path):
    path = write(tmp_path / "tests.jsonl", OUTCOMES)
    assert len(read_pairs(path, PairColumns(within=("picture",)))) == 12
    assert len(read_pairs(path, PairColumns())) == 6 * 5  # of four variants two have the same text


def test_what_is_learned_is_the_chance_that_the_first_is_better(tmp_path):
    pair = read_pairs(write(tmp_path / "tests.jsonl", OUTCOMES), PairColumns(within=("picture",)))[0]
    pooled = 0.04
    z = 0.04 / np.sqrt(pooled * (1 - pooled) * 2 / 1000)
    assert (pair.first, pair.second, pair.test) == ("warm 0", "cold 0", "t0")
    assert pair.z == pytest.approx(z) and pair.chance == pytest.approx(norm.cdf(z))


def test_a_tie_is_half_right_whichever_of_the_two_stands_first(monkeypatch):
    monkeypatch.setattr(persuasion, "margins_of", lambda *_: np.zeros(4))
    told = [Pair("a", "b", chance, z, "t") for chance, z in ((1.0, 3.0), (0.0, -3.0), (0.0, -3.0), (0.0, -3.0))]
    figures = judged_pairs(None, compared=told, tokenizer=None, max_tokens=8)
    assert figures["pairwise_accuracy"] == figures["pairwise_accuracy_significant"] == 0.5


@pytest.mark.parametrize("counts", [(0, 0, 10, 2), (10, 0, 10, 0), (10, 10, 20, 20)])
def test_where_nothing_can_be_told_the_odds_are_even(counts):
    assert standard_errors(*counts) == 0


def test_pairs_that_hardly_differ_can_be_left_out(tmp_path):
    path = write(tmp_path / "tests.jsonl", [{**row, "test": f"{row['test']}/{copy}"} for row in OUTCOMES for copy in "xy"])
    found = read_pairs(path, PairColumns(within=("picture",), least_z=1.96))
    assert {pair.first.split()[0] for pair in found} == {"warm"} and len(found) == 12


def test_judgements_are_sure(tmp_path):
    rows = [{"first": f"a {number}", "second": f"b {number}", "better": 1 + number % 2} for number in range(12)]
    found = read_pairs(write(tmp_path / "judged.jsonl", [*rows, {"first": "same", "second": "same ", "better": 1}]), PairColumns())
    assert [pair.chance for pair in found] == [1.0, 0.0] * 6
    assert len({pair.test for pair in found}) == 12


def test_whole_tests_are_held_out(tmp_path):
    found = read_pairs(write(tmp_path / "tests.jsonl", OUTCOMES), PairColumns(within=("picture",)))
    kept, held_out = hold_out(found, 0.34, 5)
    assert {pair.test for pair in kept}.isdisjoint({pair.test for pair in held_out})
    assert len({pair.test for pair in held_out}) == 2 and len(kept) + len(held_out) == 12
    assert hold_out(found, 0.34, 5) == (kept, held_out)


def test_rows_that_say_they_are_held_out_take_their_tests_with_them(tmp_path):
    rows = [row | {"held_out": row["test"] == "t3" and row["picture"] == "b"} for row in OUTCOMES]
    kept, held_out = hold_out(read_pairs(write(tmp_path / "tests.jsonl", rows), PairColumns(within=("picture",))), 0.5, 0)
    assert {pair.test for pair in held_out} == {"t3"} and len(held_out) == 2 and len(kept) == 10


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{**OUTCOMES[0], "clicks": 2000}], r"row 1 was chosen 2000 of 1000 times; mend 'impressions' and 'clicks'"),
        ([{"test": "a", "text": "b"}], r"lacks column 'impressions'"),
        (OUTCOMES[:4], r"has 5 pairs of different texts .*give at least 10"),
        ([{"first": "a", "second": "b", "better": 3}], r"better = 3; write 1 where the first text did better"),
        ([{**OUTCOMES[0], "text": None}, OUTCOMES[1]], r"row 1 has no 'text'"),
        ([{**row, "impressions": "1,200"} for row in OUTCOMES], r"row 1: '1,200' is no count; write numbers without separators"),
        ([{**row, "text": 7} for row in OUTCOMES], r"row 1: text = 7 is no text"),
        ([{**row, "held_out": "maybe"} for row in OUTCOMES], r"row 1: held_out = 'maybe'; write true or false"),
    ],
)
def test_a_table_that_can_t_be_used_is_refused_with_the_remedy(tmp_path, rows, said):
    with pytest.raises(ConfigError, match=said):
        read_pairs(write(tmp_path / "t.jsonl", rows), PairColumns())


def test_a_judgement_that_is_said_twice_is_on_one_side(tmp_path):
    rows = [{"first": f"a {number}", "second": f"B {number}", "better": 1} for number in range(30)]
    turned = [{"first": row["second"].lower(), "second": f" {row['first']}", "better": 2} for row in rows]
    found = parts(write(tmp_path / "judged.jsonl", rows + turned), PairColumns(), 0.2, 3)
    assert len(found.training) + len(found.held_out) == 60 and found.left_out["held out as well"] == 0
    sides = [{pair.first.strip().lower()[-2:] for pair in side} for side in (found.training, found.held_out)]
    assert not sides[0] & sides[1]


def test_pairs_that_are_held_out_in_another_test_are_not_trained_on_and_what_is_left_out_is_counted(tmp_path):
    rows = [row | {"test": f"{copy}{row['test']}"} for copy in "ab" for row in OUTCOMES]
    found = parts(write(tmp_path / "t.jsonl", rows), PairColumns(least_z=1.96), 0.2, 0)
    held = {(pair.first, pair.second) for pair in found.held_out}
    assert held and not held & {(pair.first, pair.second) for pair in found.training}
    assert found.left_out["held out as well"] > 0 and found.left_out["that differ by less than 1.96 errors"] > 0


@pytest.mark.parametrize("more", [{"test": "one"}, {"held_out": "yes"}, {"held_out": True}])
def test_a_table_of_which_nothing_is_left_to_learn_from_is_refused(tmp_path, more):
    rows = [{"first": f"a {number}", "second": f"b {number}", "better": 1} | more for number in range(20)]
    with pytest.raises(ConfigError, match=r"0 pairs are left to learn from and 20 are held out|held_out = 'yes'; write true or false"):
        parts(write(tmp_path / "t.jsonl", rows), PairColumns(), 0.2, 0)


def config(tmp_path, **settings):
    return PersuasionConfig(name="p", out=tmp_path / "out", vocabulary=300, hidden_size=32, layers=1, heads=2, held_out=0.34, **settings)


def test_neither_copybook_nor_pairs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="neither copybook nor pairs is given; name a directory of pieces, a table"):
        config(tmp_path)


def test_a_model_of_pairs_alone_has_one_label_and_with_the_copybook_all(tmp_path, copybook_directory):
    path = write(tmp_path / "tests.jsonl", OUTCOMES)
    columns = PairColumns(within=("picture",))
    assert Lessons(config(tmp_path, pairs=path, pair_columns=columns)).labels == ("persuasive",)
    both = Lessons(config(tmp_path, pairs=path, pair_columns=columns, copybook=copybook_directory))
    assert both.labels == LABELS == (*PRINCIPLES, "persuasive")
    judged, compared = both.chosen([0, len(both.pieces), len(both) - 1], epoch=0)
    assert (len(judged), len(compared), len(both.lengths)) == (1, 2, len(both))


def test_the_loss_is_binary_cross_entropy_of_what_is_known_plus_that_of_the_differences():
    class Fixed(torch.nn.Module):
        def forward(self, input_ids, attention_mask):
            return type("Out", (), {"logits": input_ids.float()})

    logits = torch.tensor([[1, -2], [3, 0], [0, 1]])  # one judged text, then a pair
    batch = {"input_ids": logits, "attention_mask": logits, "labels": torch.tensor([[1.0, -1.0]]), "preferred": torch.tensor([0.25])}
    known = np.log1p(np.exp(-1.0))
    margin = 0 - 1
    pair = 0.25 * np.log1p(np.exp(-margin)) + 0.75 * np.log1p(np.exp(margin))
    assert float(known_loss(Fixed(), batch)) == pytest.approx(known + pair, rel=1e-5)
    only_pair = {**batch, "input_ids": logits[1:], "labels": torch.zeros(0, 2)}
    assert float(known_loss(Fixed(), only_pair)) == pytest.approx(pair, rel=1e-5)


@pytest.mark.parametrize("architecture", ["modernbert", "textcnn"])
def test_it_learns_which_text_does_better(tmp_path, architecture):
    rows = [row | {"text": row["text"].replace(" ", " tea ")} if row["text"] != "so so" else row for row in OUTCOMES]
    lessons = Lessons(config(tmp_path, pairs=write(tmp_path / "tests.jsonl", rows), pair_columns=PairColumns(within=("picture",))))
    settings = config(tmp_path, pairs=tmp_path / "tests.jsonl", architecture=architecture)
    torch.manual_seed(0)
    tokenizer, model = classifier.start(settings, "persuasion", lessons.labels, "multi_label_classification", lessons.texts)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    words = [pair.first for pair in lessons.pairs] + [pair.second for pair in lessons.pairs]
    batch = classifier.encode(words, tokenizer, 32) | {
        "labels": torch.zeros(0, len(LABELS)),
        "preferred": torch.tensor([pair.chance for pair in lessons.pairs]),
    }
    judge = {"compared": lessons.held_out_pairs, "tokenizer": tokenizer, "max_tokens": 32}
    before = judged_pairs(model.eval(), **judge)["pairwise_loss"]
    for _ in range(30):
        optimizer.zero_grad()
        known_loss(model.train(), batch).backward()
        optimizer.step()
    figures = judged_pairs(model.eval(), **judge)
    assert figures["pairwise_accuracy_significant"] == 1.0 and figures["pairwise_loss"] < before
    assert persuasion.margins_of(model, lessons.held_out_pairs, tokenizer, 32).shape == (len(lessons.held_out_pairs),)
