"""How the benchmark of `train.generator` splits, writes prompts and counts."""

import numpy as np
import pytest
from transformers import AutoTokenizer

from benchmarks import train_generator
from benchmarks.consensus import nearest, overlap
from benchmarks.train_generator import COPY, attributes, compared, make_tokenizer, neighbours, prompt, split


def row(content: str, summary: str) -> dict[str, str]:
    return {"content": content, "summary": summary}


ROWS = [row(f"类型#{'裙裤衣'[number % 3]}*图案#花{number % 7}*颜色#色{number}", f"这条第{number}件，很好看。") for number in range(40)]


def test_attributes_stand_in_a_fixed_order_with_the_type_first():
    assert attributes("图案#花*类型#裙*图案#花") == attributes("类型#裙*图案#花") == ["类型#裙", "图案#花"]


def test_no_set_of_attributes_and_no_copy_stands_in_two_parts(monkeypatch):
    monkeypatch.setattr(train_generator, "HELD_OUT", 6)
    monkeypatch.setattr(train_generator, "CHOSEN_ON", 4)
    rows = [row("颜色#色39*图案#花4*类型#裙", "重复的属性。"), row("类型#裙", ROWS[38]["summary"]), *ROWS]
    parts = split(rows)
    assert [len(part) for part in parts] == [30, 4, 6]
    keys = [{(*attributes(each["content"]),) for each in part} for part in parts]
    copies = [{each["summary"] for each in part} for part in parts]
    for held in (keys, copies):
        assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]


def test_an_attribute_that_is_seen_often_enough_is_one_token(tmp_path):
    make_tokenizer(ROWS, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    known = tokenizer(prompt("图案#花1*类型#裙"))["input_ids"]
    assert tokenizer.convert_ids_to_tokens(known) == ["[类型#裙]", "[图案#花1]", COPY]
    assert len(tokenizer(prompt("颜色#色1"))["input_ids"]) > 2
    assert tokenizer.decode(tokenizer("<UNK>很好看。")["input_ids"]) == "<UNK>很好看。"


def test_the_neighbour_shares_the_most_attributes():
    assert neighbours(ROWS, [row("类型#裤*图案#花1*颜色#色22*版型#宽松", "")]) == [ROWS[22]["summary"]]


def test_the_text_that_has_the_most_in_common_with_all_is_taken():
    assert nearest(["宽松的裙子很好看", "完全不同的一句话", "宽松的裙子好看", "宽松裙子很好看"]) in (0, 3)
    assert nearest(["一"]) == 0
    with pytest.raises(ValueError, match="sample at least one"):
        nearest([])


def test_overlap_is_the_f1_of_n_grams():
    found = overlap(["abcd", "abxy", ""], 2)
    assert np.allclose(found, [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 0]])


def test_texts_and_references_are_cut_to_the_same_length():
    held = row("类型#裙", "很好看的裙子" + "一二三四五六")
    whole, cut = compared(["很好看的裙子"], [held], None), compared(["很好看的裙子" + "七八九"], [held], 6)
    assert cut.metrics["bleu_4"][0] == pytest.approx(100)
    assert whole.metrics["bleu_4"][0] < 60
    assert cut.metrics.keys() == {"bleu_4", "rouge_1", "rouge_2", "rouge_l"}
