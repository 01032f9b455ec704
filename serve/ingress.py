"""HTTP only: the routes. What every answer has is in `framing.py`, everything that answers a request in `pipeline.py`.

Authentication and idempotency are not here.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from ray import serve
from ray.serve.handle import DeploymentHandle

from copywriting.check import get_used_to
from copywriting.copybook import load
from serve.batch_lines import NDJSON, BatchLine, answered, lines_of
from serve.calls import call, calls, stage
from serve.config import GraphSettings
from serve.events import EventsAnswer, EventsRequest, Intake
from serve.exchange import Serving
from serve.framing import BATCH, framed
from serve.messages import CopyAnswer, CopyRequest, VoiceOut
from serve.pipeline import Pipeline
from serve.scorers.response import ResponseScorer
from serve.screen import Shown
from serve.sse import streamed
from serve.telemetry import telemetry
from serve.templates import Templates
from serve.voices import Voices

READY_TIMEOUT_S = 2.0
_TOLD_BY = {
    "retrieval": "index",
    "generator": "generator",
    "persuasion": "persuasion",
    "sentiment": "sentiment",
    "fusion": "clip",
    "response": "response",
}
"""Which stage tells the version of which artefact: with everything that it gives."""

api = framed(FastAPI(title="Suasion", version="1", summary="Personalised, persuasive marketing copy whose every claim is proved."))


@serve.deployment(name="Ingress", max_ongoing_requests=128, max_queued_requests=512, ray_actor_options={"num_cpus": 0.2})
@serve.ingress(api)
class Ingress:
    """The front door. Holds the pipeline and the handles of every stage."""

    def __init__(
        self,
        settings: GraphSettings,
        versions: dict[str, str],
        state: DeploymentHandle,
        retrieval: DeploymentHandle,
        generator: DeploymentHandle,
        persuasion: DeploymentHandle,
        sentiment: DeploymentHandle,
        fusion: DeploymentHandle,
    ) -> None:
        nodes = {"retrieval": retrieval, "generator": generator, "persuasion": persuasion, "sentiment": sentiment, "fusion": fusion}
        self._handles = {"state": state, **nodes}
        self._intake = Intake(stage("retrieval", retrieval.known), stage("state", state.record))
        self._response = ResponseScorer(settings.response.model) if settings.response else None
        self._voices = Voices(settings.generator.voices, settings.generator.voice_rank)
        pieces = load(settings.copybook)
        get_used_to((piece.template, piece.language) for piece in pieces)
        self._pipeline = Pipeline(
            calls(**self._handles, response=self._response),
            Templates(pieces),
            prompt_style=settings.generator.prompt_style,
            spare_drafts=settings.generator.spare_drafts,
            versions={kind: version for kind, version in versions.items() if kind not in _TOLD_BY.values()},
            voices=self._voices,
        )

    @api.post(
        "/v1/copy",
        response_model=CopyAnswer,
        responses={
            200: {"content": {"text/event-stream": {}}, "description": "the answer; with `stream`, server-sent events that end with it"},
            422: {"description": "problem+json"},
            404: {"description": "problem+json"},
            503: {"description": "problem+json"},
        },
    )
    async def copy(self, body: CopyRequest, request: Request) -> Response:
        """Write copy for one shopper at one moment. With `stream`, as server-sent events."""
        if body.stream:
            return await streamed(self._observed(body, request.state.request_id), request.state.request_id)
        answer = await self._answer(body, request.state.request_id)
        return Response(answer.model_dump_json(), media_type="application/json")

    @api.post(
        BATCH,
        response_class=StreamingResponse,
        responses={200: {"content": {NDJSON: {}}, "description": "JSONL: a line for each line"}, 413: {"description": "problem+json"}},
        openapi_extra={"requestBody": {"required": True, "content": {NDJSON: {"schema": BatchLine.model_json_schema()}}}},
    )
    async def batch(self, request: Request) -> Response:
        """Write copy for many requests, one JSON object a line; answers come in the same order, each as soon as it and those before it
        are there."""
        lines = lines_of(await request.body())
        return StreamingResponse(answered(lines, self._answer, request.state.request_id), media_type=NDJSON)

    async def _answer(self, body: CopyRequest, request_id: str) -> CopyAnswer:
        answer = await self._pipeline.answer(body, request_id)
        telemetry().observe(answer)
        return answer

    async def _observed(self, body: CopyRequest, request_id: str) -> AsyncGenerator[Shown | CopyAnswer, None]:
        async with aclosing(self._pipeline.stream(body, request_id)) as events:
            async for event in events:
                if isinstance(event, CopyAnswer):
                    telemetry().observe(event)
                yield event

    @api.post(
        "/v1/events",
        response_model=EventsAnswer,
        responses={422: {"description": "problem+json"}, 503: {"description": "problem+json"}},
    )
    async def events(self, body: EventsRequest, request: Request) -> Response:
        """Learn what shoppers did. Sending an event twice is harmless; what is acknowledged is on the disk."""
        answer = await self._intake.take(body, request.state.request_id)
        telemetry().count_events(answer.counts)
        return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")

    @api.get("/v1/voices", response_model=list[VoiceOut])
    async def voices(self) -> list[VoiceOut]:
        """The brand voices that are published now."""
        _, generator = await self._state_of("generator")
        return await asyncio.to_thread(self._voices.all, generator.version)

    @api.get("/healthz")
    async def healthz(self) -> dict[str, str]:
        """Is this process up?"""
        return {"status": "ok"}

    @api.get("/readyz")
    async def readyz(self) -> JSONResponse:
        """Does every stage answer? 503 with the state of each where one doesn't. `versions` serve now; `refused` says why one that was
        published does not, while the one before it serves on."""
        told = dict(zip(self._handles, await asyncio.gather(*map(self._state_of, self._handles)), strict=True))
        if self._response:  # in this process, so it answers whenever this does
            told["response"] = ("ready", self._response.serving())
        states = {stage: state for stage, (state, _) in told.items()}
        ready = all(state == "ready" for state in states.values())
        artefacts = {kind: told[stage][1] for stage, kind in _TOLD_BY.items() if stage in told}
        body = {
            "status": "ready" if ready else "not ready",
            "stages": states,
            "versions": {kind: serving.version for kind, serving in artefacts.items() if serving.version},
            "refused": {kind: serving.refused for kind, serving in artefacts.items() if serving.refused},
        }
        return JSONResponse(body, 200 if ready else 503, {} if ready else {"Retry-After": "2"})

    async def _state_of(self, stage: str) -> tuple[str, Serving]:
        try:
            return "ready", await asyncio.wait_for(call(stage, self._handles[stage].ready.remote()), READY_TIMEOUT_S)
        except Exception as error:  # whatever it is, it is the state that the probe reports
            return f"not ready ({type(error).__name__})", Serving()

    @api.get("/metrics", response_class=PlainTextResponse)
    async def metrics(self) -> Response:
        """Prometheus metrics of this replica."""
        return Response(telemetry().exposition(), media_type="text/plain; version=0.0.4")
