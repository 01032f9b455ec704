"""What the generator learns from tables: which rows are taken, which tokens are learned, and that packed examples don't see each other."""

import json
from random import Random

import pytest
import torch
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from train.run.settings import ConfigError
from train.writing.completions import IGNORED, encode_dialogue, fitted, with_hidden_words
from train.writing.dialogues import Dialogue, DialogueColumns, Turn, parts, read_dialogues
from train.writing.generator_config import GeneratorConfig
from train.writing.language_model import CopyLoss
from train.writing.lessons import Lessons
from train.writing.packing import check_packing, packed, rows_of
from train.writing.padding import collate
from train.writing.rows import check

CHATML = (
    "{% for m in messages %}{{ '<|bos|>' + m['role'] + '\n' + m['content'] + '<|eos|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|bos|>assistant\n' }}{% endif %}"
)
FORGETFUL = (
    "{% for m in messages %}{{ m['role'] + ':' + (m['content'] if loop.last or m['role'] == 'user' else '…') + '<|eos|>' }}"
    "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)


def table(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


@pytest.fixture
def tokenizer(tokenizer_directory):
    return AutoTokenizer.from_pretrained(tokenizer_directory)


@pytest.fixture
def chat_tokenizer(tokenizer):
    tokenizer.chat_template = CHATML
    return tokenizer


def chat(*contents: str) -> Dialogue:
    roles = ("user", "assistant")
    return Dialogue(tuple(Turn(roles[number % 2], content) for number, content in enumerate(contents)), chat=True)


def test_columns_are_found_by_their_usual_names_and_repeats_and_empty_answers_are_counted(tmp_path):
    rows = [("a", "one"), ("a", "ONE "), ("b", "two"), ("b", ""), ("c", "three")]
    path = table(tmp_path / "rows.jsonl", [{"instruction": prompt, "output": answer} for prompt, answer in rows])
    found, left_out = read_dialogues(path, DialogueColumns())
    assert [(one.turns[0].content, one.answer) for one in found] == [("a", "one"), ("b", "two"), ("c", "three")]
    assert left_out == {"without an answer": 1, "repeated": 1}


def test_named_columns_come_before_usual_ones(tmp_path):
    path = table(tmp_path / "rows.jsonl", [{"prompt": "no", "brief": "yes", "text": "copy"}])
    found, _ = read_dialogues(path, DialogueColumns(prompt="brief", completion="text"))
    assert found[0].turns == (Turn("user", "yes"), Turn("assistant", "copy"))


@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        ({"x": "a"}, {}, r"no column is called prompt.*columns='\{prompt: NAME\}'"),
        ({"prompt": "a", "y": "b"}, {}, r"no column is called completion"),
        ({"prompt": "a", "y": "b"}, {"completion": "z"}, r"columns\.completion = 'z'.*no such column"),
        ({"messages": [{"role": "robot", "content": "a"}]}, {}, r"row 1: messages: role 'robot' is none of"),
        ({"messages": [{"who": "a"}]}, {}, r"row 1: messages is no list of \{role, content\}"),
    ],
)
def test_a_table_that_can_t_be_used_says_why(tmp_path, row, columns, message):
    with pytest.raises(ConfigError, match=message):
        read_dialogues(table(tmp_path / "rows.jsonl", [row]), DialogueColumns(**columns))


def test_chats_end_with_their_last_answer_and_may_be_json_in_a_csv(tmp_path):
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "bye"}]
    quoted = json.dumps(messages).replace('"', '""')
    (tmp_path / "rows.csv").write_text(f'messages\n"{quoted}"\n')
    found, _ = read_dialogues(tmp_path / "rows.csv", DialogueColumns())
    assert found == [chat("hi", "yes")]


def test_no_prompt_stands_on_both_sides_and_a_growing_table_moves_none_across(tmp_path):
    rows = [{"prompt": f"p{number % 40}", "completion": f"c{number}"} for number in range(80)]
    found = parts(table(tmp_path / "rows.jsonl", rows), None, DialogueColumns(), 0.2, 3)
    assert found.held_out and not {one.asked for one in found.training} & {one.asked for one in found.held_out}
    assert len(found.training) + len(found.held_out) == 80
    more = parts(table(tmp_path / "more.jsonl", [*rows, {"prompt": "new", "completion": "new"}]), None, DialogueColumns(), 0.2, 3)
    assert set(found.held_out) <= set(more.held_out)


def test_copy_that_answers_several_prompts_is_held_out_whole_and_short_answers_bind_nothing(tmp_path):
    copy = "a pot of tea by the window, copy number"
    rows = [{"prompt": f"p{number}", "completion": f"{copy} {number % 10}"} for number in range(60)]
    rows += [{"prompt": f"q{number}", "completion": "Yes."} for number in range(20)]
    found = parts(table(tmp_path / "rows.jsonl", rows), None, DialogueColumns(), 0.2, 3)
    sides = [{one.answer for one in side} for side in (found.training, found.held_out)]
    assert sides[0] & sides[1] <= {"Yes."} and len(found.training) + len(found.held_out) == 80
    assert found.left_out["held out as well"] == 0


def test_what_stands_in_the_validation_table_is_left_out_of_the_training(tmp_path):
    copy = "a pot of tea by the window, number"
    data = table(tmp_path / "rows.jsonl", [{"prompt": f"p{number}", "completion": f"{copy} {number}"} for number in range(5)])
    apart = [{"prompt": "P1", "completion": "Yes."}, {"prompt": "new", "completion": f"{copy}  2"}]
    validation = table(tmp_path / "apart.jsonl", apart)
    found = parts(data, validation, DialogueColumns(), 0.2, 3)
    assert [one.turns[0].content for one in found.training] == ["p0", "p3", "p4"]
    assert found.left_out["held out as well"] == 2
    assert found.files == (data, validation)


def test_the_loss_of_a_chat_is_on_every_answer_or_on_the_last(chat_tokenizer):
    one = chat("a tea?", "Yes, green.", "and a cup?", "No.")
    for answers, expected in (("all", "Yes, green.<|eos|>No.<|eos|>"), ("last", "No.<|eos|>")):
        tokens, labels = encode_dialogue(one, chat_tokenizer, "compact", answers)
        assert chat_tokenizer.decode([label for label in labels if label != IGNORED]) == expected
        assert all(label in (IGNORED, token) for token, label in zip(tokens, labels, strict=True))


def test_a_prompt_goes_as_it_stands_or_through_the_template(chat_tokenizer):
    one = Dialogue((Turn("user", "a tea?"), Turn("assistant", "Yes.")))
    plain, templated = (encode_dialogue(one, chat_tokenizer, style) for style in ("compact", "chat"))
    assert chat_tokenizer.decode(plain[0]) == "a tea?Yes.<|eos|>"
    assert chat_tokenizer.decode(templated[0]) == "<|bos|>user\na tea?<|eos|><|bos|>assistant\nYes.<|eos|>"


def test_a_template_that_rewrites_earlier_turns_is_refused_for_all_answers_but_not_for_the_last(tokenizer):
    tokenizer.chat_template = FORGETFUL
    one = chat("a", "b", "c", "d")
    with pytest.raises(ValueError, match="answers=last"):
        encode_dialogue(one, tokenizer, "compact", "all")
    _, labels = encode_dialogue(one, tokenizer, "compact", "last")
    assert tokenizer.decode([label for label in labels if label != IGNORED]) == "d<|eos|>"


def test_an_example_that_is_too_long_is_left_out_or_cut_but_never_to_nothing():
    one = ([1, 2, 3, 4], [IGNORED, IGNORED, 3, 4])
    assert fitted(one, 4, "leave_out") == one
    assert fitted(one, 3, "leave_out") is None
    assert fitted(one, 3, "cut") == ([1, 2, 3], [IGNORED, IGNORED, 3])
    assert fitted(one, 2, "cut") is None


@pytest.fixture
def config(tmp_path, tokenizer_directory):
    rows = [{"prompt": f"tea {number}", "completion": "green " * (1 + number % 7)} for number in range(40)]
    data = table(tmp_path / "rows.jsonl", rows)
    return GeneratorConfig(name="tiny", out=tmp_path / "out", data=data, tokenizer=tokenizer_directory, max_position=200, held_out=0.2)


def test_rows_that_are_too_long_are_counted_and_told(config, tokenizer):
    whole = Lessons(config, tokenizer)
    every = [len(tokens) for tokens, _ in (*whole.rows.training, *whole.rows.held_out)]
    limit = sorted(every)[len(every) // 2]
    short = config.model_copy(update={"max_position": limit})
    shorter = Lessons(short, tokenizer)
    assert max(len(tokens) for tokens, _ in (*shorter.rows.training, *shorter.rows.held_out)) == limit
    lost = sum(length > limit for length in every)
    assert lost > 0 and f"{lost} of more than {limit} tokens" in shorter.told()
    assert len(Lessons(short.model_copy(update={"too_long": "cut"}), tokenizer)) == len(whole)
    with pytest.raises(ValueError, match="no row has at most 2 tokens; raise max_position"):
        Lessons(config.model_copy(update={"max_position": 2}), tokenizer)


def test_a_table_and_a_copybook_are_learned_together(config, tokenizer, copybook_directory):
    lessons = Lessons(config.model_copy(update={"copybook": copybook_directory}), tokenizer)
    assert len(lessons) == len(lessons.pieces) + len(lessons.rows.training) == len(lessons.lengths)
    assert tokenizer.decode(lessons.encoded(len(lessons) - 1, 0)[0]).startswith("tea ")
    assert "<|copy|>" in tokenizer.decode(lessons.encoded(0, 0)[0])
    assert lessons.examinations().keys() == {"validation_loss", "new_brief_loss"}
    assert len(lessons.asked(100)) == len(lessons.held_out_pieces) + len(lessons.rows.held_out)


def test_pieces_that_are_cut_are_counted_and_told(config, tokenizer, copybook_directory):
    short = config.model_copy(update={"copybook": copybook_directory, "data": None, "max_position": 30})
    lessons = Lessons(short, tokenizer)
    assert max(len(lessons.encoded(number, 0)[0]) for number in range(len(lessons))) == 30
    assert f"{len(lessons)} pieces of more than 30 tokens, cut" in lessons.told()


def test_the_data_card_describes_pieces_and_rows_and_what_was_left_out(config, tokenizer, copybook_directory):
    lessons = Lessons(
        config.model_copy(update={"copybook": copybook_directory, "about_data": "notes on tea", "max_position": 150}), tokenizer
    )
    card = lessons.card()
    assert "| about | notes on tea |" in card and "rows.jsonl" in card
    held_out = len(lessons.held_out_pieces) + len(lessons.rows.held_out)
    assert f"| all | {len(lessons)} | {held_out} |" in card
    assert "| repeated | 0 |" in card and "with another label" not in card


def test_a_chat_without_a_chat_template_is_refused_before_anything_runs(config, tokenizer, tmp_path):
    with pytest.raises(ConfigError, match=r"prompt_style = 'chat': the base's tokenizer has no chat template"):
        check(config.model_copy(update={"prompt_style": "chat"}), tokenizer)
    messages = [[{"role": "user", "content": f"q{number}"}, {"role": "assistant", "content": "yes"}] for number in range(9)]
    chats = table(tmp_path / "chats.jsonl", [{"messages": each} for each in messages])
    with pytest.raises(ConfigError, match="messages in the data"):
        check(config.model_copy(update={"data": chats}), tokenizer)
    assert check(config, tokenizer) == (config.data,)


def test_a_run_without_data_is_refused(tokenizer_directory, tmp_path):
    with pytest.raises(ValueError, match="neither copybook nor data is given"):
        GeneratorConfig(name="tiny", out=tmp_path / "out", tokenizer=tokenizer_directory)


SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 64}
MODELS = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(num_key_value_heads=1, **SIZES)),
    "qwen": lambda: Qwen2ForCausalLM(Qwen2Config(num_key_value_heads=1, **SIZES)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=64)),
}


def examples(count=7):
    random = torch.Generator().manual_seed(1)
    found = []
    for number in range(count):
        tokens = torch.randint(3, 64, (4 + 3 * number,), generator=random).tolist()
        found.append((tokens, [IGNORED] * (number % 3) + tokens[number % 3 :]))
    return found


@pytest.mark.parametrize("name", MODELS)
def test_packed_examples_have_the_loss_and_the_gradients_that_they_have_apart(name):
    torch.manual_seed(0)
    model = CopyLoss(MODELS[name]().eval())
    found = []
    for batch in (collate(examples(), 0), packed(examples(), 40, 0)):
        model.zero_grad()
        loss = model(**batch)
        loss.backward()
        found.append((float(loss.detach()), {key: value.grad.clone() for key, value in model.named_parameters() if value.grad is not None}))
    (apart, gradients), (together, others) = found
    assert together == pytest.approx(apart, abs=1e-5)
    assert gradients.keys() == others.keys() and gradients
    assert all(torch.allclose(gradients[key], others[key], atol=1e-5) for key in gradients)


def test_rows_are_filled_and_hold_every_example_once():
    lengths = [5, 9, 3, 7, 1, 20]
    rows = rows_of(lengths, 12)
    assert sorted(number for row in rows for number in row) == list(range(6))
    assert all(sum(lengths[number] for number in row) <= 12 or len(row) == 1 for row in rows)
    assert len(rows) == 4  # 20; 9 + 3; 7 + 5; 1


class Blind(torch.nn.Module):
    """A loss that changes with what stands beside an example in its row."""

    def forward(self, input_ids, labels, **_):
        return input_ids.float().cumsum(1)[labels != IGNORED].mean()


def test_a_model_that_lets_packed_examples_see_each_other_is_found_out():
    check_packing(CopyLoss(MODELS["llama"]().eval()), examples(3), 0)
    with pytest.raises(ValueError, match="packing=false"):
        check_packing(Blind(), examples(3), 0)


def test_hidden_words_are_hidden_from_what_follows_and_still_learned():
    one = ([5, 6, 7, 8, 9], [IGNORED, IGNORED, 7, 8, 9])
    tokens, labels = with_hidden_words(one, 0.999, 0, Random(1))
    assert (tokens, labels) == ([5, 6, 0, 0, 9], one[1])
    assert with_hidden_words(one, 0.0, 0, Random(1)) == one


def test_hidden_words_differ_by_epoch_and_not_by_run(config, tokenizer):
    lessons = Lessons(config.model_copy(update={"word_dropout": 0.5}), tokenizer)
    assert lessons.encoded(0, 0) == lessons.encoded(0, 0) != lessons.encoded(0, 1)
    assert lessons.encoded(0, 0)[1] == lessons.rows.training[0][1]
