"""Alignment with preferences: the losses, the tables of pairs, pairs by a reward, and runs in which a preference is learned."""

import json
import math
from pathlib import Path
from random import Random

import pytest
import torch
from tiny_generator import save_generator
from transformers import AutoModelForCausalLM, AutoTokenizer

from artifacts.card import verify
from copywriting.prompt import compact
from train import alignment
from train.alignment import AlignmentConfig, files_of, judge, prepare
from train.job import launch
from train.reports.exhibits import read_exhibits
from train.run.settings import ConfigError, data_hash
from train.texts.examples import random_brief
from train.texts.pairs import PairColumns
from train.writing.language_model import kind_of, start
from train.writing.preference_loss import Objective, TextChances
from train.writing.preferences import PreferenceColumns, parts, read_preferences
from train.writing.rewarded import Asked, make, pair_of, pairs_of, place_of, prompts_of

MODELS = Path(__file__).resolve().parents[2] / "models"
WORDS = ["tea", "green", "pot", "window", "warm", "slowly", "cup", "home", "bring", "name"]
SIZES = {"hidden_size": 32, "layers": 1, "heads": 2, "kv_heads": 1, "intermediate_size": 32, "max_position": 96}
RUN = {"threads_per_worker": 1, "report_every_s": 1e-6, "checkpoint_every_s": 1e6, "max_failures": 0}


def table(path: Path, rows) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def shorter_is_better(path: Path, count: int = 80) -> Path:
    """Of two answers the shorter one is chosen."""
    random, rows = Random(0), []
    for number in range(count):
        short, long = (" ".join(random.choices(WORDS, k=length)) for length in (2, 8))
        rows.append({"prompt": f"write {random.choice(WORDS)} {number}: ", "chosen": short, "rejected": long})
    return table(path, rows)


@pytest.fixture(scope="module")
def base(tmp_path_factory, tokenizer_directory) -> Path:
    return save_generator(tmp_path_factory.mktemp("base") / "base", tokenizer_directory, SIZES)


def config_of(base: Path, tmp_path: Path, **settings) -> AlignmentConfig:
    given = {"name": "tiny", "out": tmp_path / "out", "storage": str(tmp_path), "base": base, "held_out": 0.2, **RUN}
    return AlignmentConfig(**given | {"batch_size": 16, "learning_rate": 3e-3, "max_position": 96} | settings)


def batch_of(reference, tokens, chance) -> dict[str, torch.Tensor]:
    return {"reference": torch.tensor(reference), "tokens": torch.tensor(tokens), "chance": torch.tensor(chance)}


def test_dpo_is_the_log_loss_of_the_difference_of_implicit_rewards():
    said = torch.tensor([-3.0, -9.0])
    batch = batch_of([-4.0, -8.0], [2.0, 4.0], [1.0])
    assert float(Objective(beta=0.5)(said, batch)) == pytest.approx(math.log1p(math.exp(-0.5 * 2)))
    assert float(Objective(beta=0.5, length_normalised=True)(said, batch)) == pytest.approx(math.log1p(math.exp(-0.5 * (0.5 + 0.25))))
    assert float(Objective(beta=0.5, rpo_alpha=0.1)(said, batch)) == pytest.approx(math.log1p(math.exp(-1)) + 0.1 * 3 / 2)


def test_a_pair_that_nobody_can_tell_apart_teaches_to_change_nothing():
    batch = batch_of([-4.0, -8.0], [2.0, 4.0], [0.5])
    said = torch.tensor([-4.0, -8.0], requires_grad=True)
    Objective(beta=0.5)(said, batch).backward()
    assert said.grad.abs().max() < 1e-6


def test_ipo_is_at_rest_where_the_margin_per_token_is_half_of_one_over_beta():
    batch = batch_of([-4.0, -8.0], [2.0, 4.0], [1.0])
    assert float(Objective("ipo", beta=0.5)(torch.tensor([-3.0, -10.0]), batch)) == pytest.approx(0)
    assert float(Objective("ipo", beta=0.5)(torch.tensor([-4.0, -8.0]), batch)) == pytest.approx(1)


def test_pairs_that_say_nothing_are_left_out_and_counted(tmp_path):
    rows = [{"prompt": f"p{number}", "chosen": "a", "rejected": "b"} for number in range(12)]
    rows += [{"prompt": "p1", "chosen": "A ", "rejected": "b"}, {"prompt": "same", "chosen": "a", "rejected": "a"}]
    rows += [{"prompt": "both", "chosen": "a", "rejected": "b"}, {"prompt": "both", "chosen": "b", "rejected": "a"}]
    found = parts(table(tmp_path / "pairs.jsonl", rows), None, PreferenceColumns(), PairColumns(), 0.2, 1)
    assert len(found.training) + len(found.held_out) == 12
    assert {reason: count for reason, count in found.left_out.items() if count} == {
        "of one text, or undecided": 1,
        "judged both ways": 2,
        "repeated": 1,
    }
    assert not {row.chosen.asked for row in found.training} & {row.chosen.asked for row in found.held_out}


def test_a_validation_table_takes_its_prompts_out_of_the_training(tmp_path):
    rows = [{"prompt": f"p{number}", "chosen": "a", "rejected": "b"} for number in range(6)]
    apart = table(tmp_path / "apart.jsonl", [{"prompt": "P 2", "chosen": "c", "rejected": "d"}])
    found = parts(table(tmp_path / "pairs.jsonl", rows), apart, PreferenceColumns(), PairColumns(), 0.2, 1)
    assert len(found.training) == 5 and found.left_out["with a prompt that is held out"] == 1


def test_answers_may_be_chats_that_hold_their_prompt(tmp_path):
    said = [{"role": "user", "content": "a tea?"}]
    row = {name: [*said, {"role": "assistant", "content": name}] for name in ("chosen", "rejected")}
    one = read_preferences(table(tmp_path / "pairs.jsonl", [row]), PreferenceColumns(), PairColumns())[0]
    assert one.chosen.chat and one.chosen.turns[0].content == "a tea?" and one.rejected.answer == "rejected"


def test_outcomes_of_a_b_tests_become_pairs_with_the_chance_that_the_winner_is_the_better_one(tmp_path):
    rows = [
        {"test": f"t{number}", "prompt": f"p{number}", "text": text, "impressions": 1000, "clicks": clicks}
        for number in range(12)
        for text, clicks in (("cold", 20), ("warm", 30))
    ]
    found = read_preferences(table(tmp_path / "tests.jsonl", rows), PreferenceColumns(), PairColumns())
    assert len(found) == 12 and {one.chosen.answer for one in found} == {"warm"}
    assert all(0.9 < one.chance < 0.95 for one in found)
    rows[1]["prompt"] = "another"
    with pytest.raises(ConfigError, match="test 't0' has more than one prompt"):
        read_preferences(table(tmp_path / "mixed.jsonl", rows), PreferenceColumns(), PairColumns())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "p", "chosen": "", "rejected": "b"}, "row 1: has an empty answer"),
        ({"chosen": "a", "rejected": "b"}, "no column is called prompt"),
        ({"prompt": "p", "text": "a"}, "lacks column 'test'"),
    ],
)
def test_a_table_that_can_t_be_used_says_why(tmp_path, row, message):
    with pytest.raises(ConfigError, match=message):
        read_preferences(table(tmp_path / "pairs.jsonl", [row]), PreferenceColumns(), PairColumns())


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"base": None}, "base is not given"), ({"data": None}, "neither data nor reward is given")],
)
def test_a_run_without_a_base_or_pairs_is_refused(base, tokenizer_directory, tmp_path, settings, message):
    config = config_of(base, tmp_path, data=shorter_is_better(tmp_path / "pairs.jsonl"), tokenizer=tokenizer_directory)
    with pytest.raises(ValueError, match=message):
        AlignmentConfig.model_validate(config.model_dump() | settings)


def test_chats_need_a_template_before_anything_runs(base, tmp_path):
    config = config_of(base, tmp_path, data=shorter_is_better(tmp_path / "pairs.jsonl"), prompt_style="chat")
    with pytest.raises(ConfigError, match="no chat template"):
        prepare(config)


def test_the_reference_prefers_nothing_over_itself(base, tmp_path):
    config = config_of(base, tmp_path, data=shorter_is_better(tmp_path / "pairs.jsonl", 20))
    tokenizer, model = start(config)
    pairs = alignment.token_pairs(alignment.parts(config).training, tokenizer, config)
    asked = TextChances(model).eval()
    pairs.reference = pairs.ask(asked)
    found = judge(asked, pairs=pairs, objective=config.objective)
    assert found["preference_accuracy"] == 0.5 and found["drift"] == found["margin"] == 0
    assert found["validation_loss"] == pytest.approx(math.log(2))
    one = pairs.batch([0])
    tokens, labels = one["input_ids"][:1, : int(one["attention_mask"][0].sum())], one["labels"][0]
    with torch.no_grad():
        logits = model(tokens).logits[0].log_softmax(-1)
    expected = sum(float(logits[place - 1, token]) for place, token in enumerate(labels[: tokens.shape[1]].tolist()) if token >= 0)
    assert float(pairs.reference[0, 0]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.ray
def test_a_preference_is_learned_in_seconds(ray_cluster, base, tmp_path):
    config = config_of(base, tmp_path, data=shorter_is_better(tmp_path / "pairs.jsonl"), epochs=8, rpo_alpha=0.2)
    prepare(config)
    card = launch(alignment.loop, config, kind="generator", data=files_of(config))
    described = (config.local_runs / str(card.config["run"]) / "report" / "data_card.md").read_text(encoding="utf-8")
    assert "| longest |" in described and config.data.name in described
    assert card.metrics["before_preference_accuracy"] == 0.5
    assert card.metrics["preference_accuracy"] > 0.9
    assert card.metrics["margin"] > 0.5 > card.metrics["before_margin"] == 0
    assert card.metrics["chosen_gain"] > card.metrics["rejected_gain"]
    assert card.metrics["validation_loss"] < card.metrics["before_validation_loss"]
    verify(config.out, "generator")
    loaded = AutoModelForCausalLM.from_pretrained(config.out)
    assert loaded.config.vocab_size == len(AutoTokenizer.from_pretrained(config.out))
    run = tmp_path / card.config["run"]
    assert len(list(run.glob("reference-*/card.json"))) == 1, "what the reference said is kept for when the run goes on"
    checkpoint = max(path for path in run.glob("checkpoint_*") if path.is_dir())
    shown = read_exhibits(checkpoint)
    assert (shown.margins > 0).mean() == pytest.approx(card.metrics["preference_accuracy"], abs=0.1) and shown.samples[0].prompt


def test_an_adapter_learns_it_against_the_base_that_it_belongs_to(base, tmp_path):
    data = shorter_is_better(tmp_path / "pairs.jsonl")
    config = config_of(base, tmp_path, data=data, epochs=10, method="lora", deliver="adapter", learning_rate=1e-2, loss="ipo", workers=0)
    card = launch(alignment.loop, config, kind=kind_of(config), data=files_of(config))
    assert card.metrics["before_drift"] == pytest.approx(0, abs=1e-5)
    assert card.metrics["preference_accuracy"] > 0.9
    assert {"adapter_config.json", "adapter_model.safetensors"} == verify(config.out, "adapter").files.keys()


class Longer:
    """A reward for length."""

    def __call__(self, texts):
        return [float(len(text)) for text in texts]


def test_the_best_candidate_is_chosen_and_the_worst_rejected_by_as_much_as_the_reward_says():
    row = pair_of(Asked("p"), ["ab", "a", "abc", "a", " "], Longer(), Random(0))
    assert row == {"prompt": "p", "chosen": "abc", "rejected": "a", "chance": round(1 / (1 + math.exp(-2)), 4)}
    assert pair_of(Asked("p"), ["a", "a "], Longer(), Random(0)) is None
    assert pair_of(Asked("p"), ["a", "b"], Longer(), Random(0)) is None, "as good as each other"


def test_what_the_grammar_would_refuse_loses_to_anything_that_it_would_not():
    brief = random_brief(Random(2), "en")
    asked = Asked(compact(brief), brief)
    good = "\n".join("{name} here" for _ in brief.channel.parts)
    row = pair_of(asked, [good, good + "\nand one part more than was asked for"], Longer(), Random(0))
    assert (row["chosen"], row["chance"]) == (good, 1.0)
    assert pair_of(asked, ["在", "也在"], Longer(), Random(0)) is None, "nothing that may be chosen"


def test_pairs_are_made_of_what_the_base_writes(base, tmp_path):
    config = config_of(base, tmp_path, reward=base, prompts=table(tmp_path / "asked.jsonl", [{"prompt": "tea"}, {"prompt": "pot"}] * 2))
    asked = prompts_of(config)
    assert [one.prompt for one in asked] == ["tea", "pot"]
    tokenizer, model = start(config)
    rows = pairs_of(asked, config, model.eval(), tokenizer, Longer())
    assert [row["prompt"] for row in rows] == ["tea", "pot"]
    assert all(len(row["chosen"]) > len(row["rejected"]) for row in rows)
    assert rows == pairs_of(asked, config, model, tokenizer, Longer())
    briefs = prompts_of(config.model_copy(update={"prompts": None, "briefs": 4}))
    assert [one.brief.language for one in briefs] == ["zh", "en", "zh", "en"]
    assert all(one.prompt == compact(one.brief) for one in briefs)


def test_a_run_learns_from_what_a_reward_makes_of_the_base_s_own_texts(base, tmp_path):
    asked = table(tmp_path / "asked.jsonl", [{"prompt": f"{word} {number}"} for word in ("tea", "pot") for number in range(30)])
    config = config_of(base, tmp_path, reward=MODELS / "persuasion", prompts=asked, candidates=4, epochs=10, too_long="cut", workers=0)
    prepare(config)
    card = launch(alignment.loop, config, kind=kind_of(config), data=files_of(config))
    assert files_of(config) == [place_of(config), MODELS / "persuasion", base]
    described = (config.local_runs / str(card.config["run"]) / "report" / "data_card.md").read_text(encoding="utf-8")
    assert place_of(config).name in described
    reports = [json.loads(line) for line in (config.local_runs / str(card.config["run"]) / "metrics.jsonl").read_text().splitlines()]
    losses = [report["loss"] for report in reports if report.get("loss")]
    assert losses[-1] < losses[0] - 1e-3  # the reward is hardly surer of one of such texts than of the other
    assert verify(config.out, "generator").data_hash == data_hash(files_of(config))


def test_the_shipped_scorer_judges_the_shipped_generator(tmp_path):
    config = config_of(MODELS / "generator", tmp_path, reward=MODELS / "persuasion", briefs=8, candidates=3)
    rows = [json.loads(line) for line in make(config).read_text().splitlines()]
    assert 1 <= len(rows) <= 8 and all(0.5 < row["chance"] <= 1 and row["chosen"] != row["rejected"] for row in rows)
    held = make(config)
    held.write_text("kept\n")
    assert make(config).read_text() == "kept\n", "a run that goes on takes the same pairs"
