"""What `serve/telemetry.py` promises, one behaviour a test."""

from serve.messages import CopyRequest
from serve.pipeline import Pipeline
from serve.telemetry import Telemetry
from serve.templates import Templates
from tests.fake_stages import FakeStages
from tests.fakes import NOW, make_piece, make_product


async def an_answer(**trouble):
    stages = FakeStages(make_product(), ["{name}来了", "{name}只要99元"], **trouble)
    pipeline = Pipeline(stages.stages(), Templates([make_piece("{name}在家")]), prompt_style="compact", spare_drafts=0, versions={})
    return await pipeline.answer(CopyRequest(channel="sms", n=2, seed=1), "r", NOW)


def lines(telemetry: Telemetry) -> set[str]:
    return set(telemetry.exposition().decode().splitlines())


async def test_answers_drafts_tokens_and_times_are_counted():
    telemetry = Telemetry()
    telemetry.count_status(200)
    telemetry.count_status(422)
    telemetry.count_status(200)
    telemetry.observe(await an_answer())
    shown = lines(telemetry)
    assert {
        'suasion_copy_requests_total{status="200"} 2.0',
        'suasion_copy_requests_total{status="422"} 1.0',
        'suasion_copy_answers_total{channel="sms",locale="zh-CN"} 1.0',
        "suasion_drafts_refused_total 1.0",
        "suasion_output_tokens_total 40.0",
        'suasion_stage_seconds_count{stage="generation"} 1.0',
    } <= shown
    assert not any(line.startswith("suasion_copy_degraded_total") for line in shown)


async def test_an_answer_without_a_stage_is_counted_under_its_name_and_not_its_reason():
    telemetry = Telemetry()
    telemetry.observe(await an_answer(failures={"persuasion": "not running (RayActorError)"}))
    assert 'suasion_copy_degraded_total{stage="persuasion"} 1.0' in lines(telemetry)
    assert "RayActorError" not in telemetry.exposition().decode()


def test_events_are_counted_by_what_became_of_them():
    telemetry = Telemetry()
    telemetry.count_events({"stored": 3, "duplicate": 0, "refused": 1})
    telemetry.count_events({"stored": 2})
    assert {'suasion_events_total{status="stored"} 5.0', 'suasion_events_total{status="refused"} 1.0'} <= lines(telemetry)


def test_two_replicas_in_one_process_do_not_share_their_counts():
    one, other = Telemetry(), Telemetry()
    one.count_status(200)
    assert not any(line.startswith("suasion_copy_requests_total") for line in lines(other))
