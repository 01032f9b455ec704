"""A folder of Parquet files as a stream: the same rows as read at once, in their order, with errors that name file and row."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_generator import save_generator
from transformers import AutoTokenizer

from artifacts.card import verify
from train import generator
from train.run.settings import ConfigError
from train.writing.completions import encode_dialogue
from train.writing.dialogues import Dialogue, Turn
from train.writing.folder import Folder
from train.writing.generator_config import GeneratorConfig
from train.writing.rows import check, prepare, rows_of
from train.writing.token_place import fetched, place_of
from train.writing.token_store import TokenStore

CHATML = (
    "{% for m in messages %}{{ '<|bos|>' + m['role'] + '\n' + m['content'] + '<|eos|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|bos|>assistant\n' }}{% endif %}"
)
ROW = {"prompt": "a", "completion": "b"}
SIZES = {"hidden_size": 32, "layers": 1, "heads": 2, "kv_heads": 1, "intermediate_size": 32, "max_position": 64}


def rows(count: int, first: int = 0) -> list[dict[str, str]]:
    return [{"prompt": f"tea {n}: ", "completion": f"green and warm {n} " * (1 + n % 3)} for n in range(first, first + count)]


def write(path: Path, given: list[dict[str, object]], group: int = 7) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(given), path, row_group_size=group)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """Seventy rows in three files, one of them deeper, with a row that stands in two files, one without an answer and one too long."""
    awkward = [rows(1)[0], {"prompt": "nothing", "completion": " "}, {"prompt": "long", "completion": "slowly " * 60}]
    write(tmp_path / "data" / "b.parquet", rows(30, 20))
    write(tmp_path / "data" / "a.parquet", rows(20))
    write(tmp_path / "data" / "deep" / "c.parquet", [*rows(20, 50), *awkward])
    return tmp_path / "data"


@pytest.fixture
def config(folder, tmp_path, tokenizer_directory):
    def made(**settings) -> GeneratorConfig:
        given = {
            "name": "tiny",
            "out": tmp_path / "out",
            "tokenizer": tokenizer_directory,
            "data": folder,
            "storage": str(tmp_path / "runs"),
        }
        return GeneratorConfig.model_validate({**given, **SIZES, **settings})

    return made


@pytest.fixture
def tokenizer(tokenizer_directory):
    return AutoTokenizer.from_pretrained(tokenizer_directory)


@pytest.mark.ray
def test_a_folder_gives_the_rows_of_its_files_in_their_order(ray_cluster, config, tokenizer):
    prepare(config(), tokenizer)
    found = rows_of(config(), tokenizer)
    dialogues = [Dialogue((Turn("user", row["prompt"]), Turn("assistant", row["completion"]))) for row in rows(70)]
    everything = [encode_dialogue(one, tokenizer, "compact") for one in dialogues]
    numbers = [[everything.index(one) for one in part] for part in (found.training, found.held_out)]
    assert sorted(numbers[0] + numbers[1]) == list(range(70)) and numbers[1]
    assert numbers == [sorted(each) for each in numbers]
    assert list(found.lengths) == [len(tokens) for tokens, _ in found.training]
    assert found.left_out == {"without an answer": 1, "of more than 64 tokens": 1, "repeated": 1, "held out as well": 0}


@pytest.mark.ray
@pytest.mark.parametrize("too_long", ["leave_out", "cut"])
def test_a_folder_and_the_same_rows_in_one_table_hold_and_leave_out_the_same(ray_cluster, config, tokenizer, tmp_path, too_long):
    """With rows that are too long and stand twice, and with the table's own word on what is held out."""
    long = {"prompt": "long", "completion": "slowly " * 60}
    given = [*rows(30), long, *rows(5), {"prompt": "tea 3: ", "completion": "again and again, with much hot water"}, long]
    given = [row | {"held_out": number % 9 == 3} for number, row in enumerate(given)]
    parts = [write(tmp_path / "parts" / f"{at:02d}.parquet", given[at : at + 10]).parent for at in range(0, len(given), 10)]
    whole = write(tmp_path / "whole.parquet", given)
    found = []
    for data in (parts[0], whole):
        settings = config(data=data, too_long=too_long)
        prepare(settings, tokenizer)
        found.append(rows_of(settings, tokenizer))
    assert found[0].left_out == found[1].left_out and found[0].left_out["held out as well"] == 1
    assert sorted(found[0].training) == sorted(found[1].training)
    assert sorted(found[0].held_out) == sorted(found[1].held_out)


@pytest.mark.ray
def test_a_store_is_made_once_for_the_same_data_and_again_for_other(ray_cluster, config, tokenizer, folder):
    prepare(config(), tokenizer)
    place = Path(config().storage) / place_of(config())
    before = (place / "rows.arrow").stat().st_ino
    prepare(config(), tokenizer)
    assert (place / "rows.arrow").stat().st_ino == before
    write(folder / "d.parquet", rows(10, 100))
    prepare(config(), tokenizer)
    store = TokenStore.read(place)
    assert len(store.training) + len(store.held_out) == 80
    prepare(config(max_position=32), tokenizer)
    assert sum(each.is_dir() for each in place.parent.iterdir()) == 2


@pytest.mark.ray
def test_a_validation_table_is_what_is_held_out(ray_cluster, config, tokenizer, tmp_path):
    validation = write(tmp_path / "apart.parquet", rows(3, 68))  # two of which stand in the folder
    prepare(config(validation=validation), tokenizer)
    found = rows_of(config(validation=validation), tokenizer)
    assert (len(found.training), len(found.held_out)) == (68, 3)
    assert found.left_out["held out as well"] == 2


@pytest.mark.ray
def test_chats_learn_what_the_assistant_says_and_a_bad_row_is_named_with_its_file(ray_cluster, config, tokenizer, tmp_path):
    tokenizer.chat_template = CHATML
    chats = [
        [{"role": "user", "content": f"tea {n}"}, {"role": "assistant", "content": f"a pot of tea {n}"}, {"role": "user", "content": "?"}]
        for n in range(40)
    ]
    write(tmp_path / "chats" / "one.parquet", [{"messages": json.dumps(chat), "other": 1} for chat in chats])
    settings = {"data": tmp_path / "chats", "prompt_style": "chat"}
    prepare(config(**settings), tokenizer)
    tokens, labels = rows_of(config(**settings), tokenizer).training[0]
    assert tokenizer.decode([label for label in labels if label >= 0]).startswith("a pot of tea")
    assert tokenizer.decode(tokens).endswith("<|eos|>")
    chats[11][0]["role"] = "robot"
    write(tmp_path / "chats" / "two.parquet", [{"messages": json.dumps(chat), "other": 2} for chat in chats])
    with pytest.raises(ConfigError, match=r"two\.parquet': row 12: messages: role 'robot' is none of"):
        prepare(config(**settings), tokenizer)


@pytest.mark.ray
def test_where_storage_is_a_uri_another_machine_fetches_the_store(ray_cluster, config, tokenizer, folder, tmp_path, monkeypatch):
    given = config(storage=f"file://{tmp_path}/bucket")
    for machine in ("driver", "worker"):
        (tmp_path / machine).mkdir()
    monkeypatch.chdir(tmp_path / "driver")
    prepare(given, tokenizer)
    monkeypatch.chdir(tmp_path / "worker")
    assert len(rows_of(given, tokenizer).training) > 60
    assert (first := fetched(given)).is_relative_to(tmp_path / "worker") and fetched(given) == first
    shared = tmp_path / "bucket" / place_of(given) / "rows.arrow"
    before = shared.stat().st_mtime_ns
    monkeypatch.chdir(tmp_path / "driver")
    prepare(given, tokenizer)
    assert shared.stat().st_mtime_ns == before, "what lies there already is not copied again"
    write(folder / "d.parquet", rows(10, 100))
    prepare(given, tokenizer)
    assert len(rows_of(given, tokenizer).training) > 70
    monkeypatch.chdir(tmp_path / "worker")
    assert fetched(given) != first and len(rows_of(given, tokenizer).training) > 70, "what was fetched before is of other data"
    shared.parent.with_name(f"{shared.parent.name}.data").unlink()
    with pytest.raises(FileNotFoundError, match="are being replaced"):
        fetched(given)


@pytest.mark.ray
def test_a_run_on_a_folder_learns_with_two_workers(ray_cluster, folder, tmp_path, tokenizer_directory, monkeypatch, capsys):
    base = save_generator(tmp_path / "base", tokenizer_directory, SIZES)
    flags = {"data": folder, "storage": tmp_path / "runs", "method": "full", "workers": 2, "threads_per_worker": 1, "batch_size": 8}
    flags |= {"epochs": 8, "learning_rate": 0.01, "max_failures": 0}
    settings = [word for key, value in flags.items() for word in ("--set", f"{key}={value}")]
    config = ["--config", "train/configs/generator_table.yaml", "--base", str(base), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["generator", *config, *settings])
    generator.main()
    card = verify(tmp_path / "out", "generator")
    assert card.metrics["validation_loss"] < card.metrics["before_validation_loss"] - 0.1
    assert "1 repeated" in " ".join(capsys.readouterr().err.split())
    described = (tmp_path / "runs" / str(card.config["run"]) / "report" / "data_card.md").read_text(encoding="utf-8")
    assert "| repeated | 1 |" in described and "| files | data |" in described


def test_a_run_whose_machines_share_no_storage_is_told_so(config):
    with pytest.raises(FileNotFoundError, match=r"storage = .*no tokens of .*name a directory that all machines of the cluster share"):
        fetched(config())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.csv": b"prompt,completion\n"}, r"a folder without a \.parquet file"),
        ({"a.parquet": b"PAR1 not"}, r"a\.parquet': not Parquet"),
        ({"a.parquet": None, "b.jsonl.gz": b""}, r"holds b\.jsonl\.gz beside Parquet files"),
        ({"a.parquet": None, "b.parquet": [{"prompt": "a"}]}, r"b\.parquet': lacks column 'completion', which a\.parquet has"),
        ({"a.parquet": [{"prompt": "a", "text": "b"}]}, r"no column is called completion"),
        ({"a.parquet": None, "b.parquet": [{**ROW, "held_out": True}]}, r"b\.parquet': has a column 'held_out', which a\.parquet lacks"),
        (
            {"a.parquet": None, "b.parquet": [{"prompt": 1, "completion": "b"}]},
            r"b\.parquet': column 'prompt' holds int64, in a\.parquet text",
        ),
        ({"a.parquet": [{"prompt": b"a", "completion": "b"}]}, r"a\.parquet': column 'prompt' holds bytes; write it as text"),
        ({"held_out=1/a.parquet": None}, r"'held_out' stands in the name of a folder"),
        ({"a.parquet": None, "b.arrow": b""}, r"holds b\.arrow beside"),
        (
            {"a.parquet": [{"messages": '[{"role": "user", "content": [1]}]'}]},
            r"a\.parquet': row 1: messages .*content is a list, not a text",
        ),
        ({"a.parquet": [{"messages": '[{"role": "user", "content": "\\ud83d"}]'}]}, r"row 1: messages .*surrogates not allowed"),
    ],
)
def test_a_folder_that_can_t_be_used_says_why_before_ray_starts(config, tokenizer, tmp_path, files, message):
    for name, held in files.items():
        if isinstance(held, bytes):
            (tmp_path / "odd").mkdir(exist_ok=True)
            (tmp_path / "odd" / name).write_bytes(held)
        else:
            write(tmp_path / "odd" / name, held or rows(3))
    with pytest.raises(ConfigError, match=message):
        check(config(data=tmp_path / "odd"), tokenizer)


def test_hidden_files_and_empty_ones_do_no_harm_and_columns_may_be_stored_otherwise(config, tokenizer, folder):
    (folder / "_SUCCESS").touch()
    write(folder / ".ipynb_checkpoints" / "a-checkpoint.parquet", rows(3))
    pq.write_table(pa.table({"prompt": pa.array([], pa.string()), "completion": pa.array([], pa.string())}), folder / "0.parquet")
    stored = pa.table({"prompt": pa.array(["x", "y"]).dictionary_encode(), "completion": pa.array(["a", None], pa.large_string())})
    pq.write_table(stored, folder / "z.PARQUET")
    assert check(config(), tokenizer) == (folder,)
    found = Folder.read(folder, config().columns)
    assert [path.name for path in found.files] == ["0.parquet", "a.parquet", "b.parquet", "c.parquet", "z.PARQUET"]
    table, path, number = found.row(20)
    assert (table.to_pylist(), path.name, number) == ([rows(1, 20)[0]], "b.parquet", 1)
    assert found.row(29)[0].to_pylist() == [rows(1, 29)[0]], "of another row group"
