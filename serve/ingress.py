"""HTTP only: routes, request ids, problem+json. Everything that answers a request is in `pipeline.py`.

Authentication, idempotency, streaming and batches are not here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from ray import serve
from ray.serve.handle import DeploymentHandle
from starlette.exceptions import HTTPException

from copywriting.copybook import load
from serve.config import GraphSettings
from serve.errors import FieldError, Problem
from serve.messages import CopyAnswer, CopyRequest
from serve.pipeline import Pipeline
from serve.stages import call, calls
from serve.telemetry import Telemetry
from serve.templates import Templates

MAX_BODY_BYTES = 256 << 10
READY_TIMEOUT_S = 2.0
PROBLEM = "application/problem+json"
_REMEDIES = {
    "extra_forbidden": "remove it; the known fields are in /openapi.json",
    "missing": "add it",
    "literal_error": "use one of the values that are named",
    "json_invalid": "send one JSON object",
}

api = FastAPI(title="Suasion", version="1", summary="Personalised, persuasive marketing copy whose every claim is proved.")


def request_id_of(request: Request) -> str:
    """The caller's X-Request-ID where it is printable and short, else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if given.isascii() and given.isprintable() and 0 < len(given) <= 128 else uuid4().hex


@api.middleware("http")
async def with_request_id(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Give every request an id and refuse bodies that are too large."""
    request.state.request_id = request_id_of(request)
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        error = FieldError("body", f"{length} bytes", f"more than {MAX_BODY_BYTES} bytes", "send less context")
        response: Response = problem_response(request, Problem(413, "too_large", "The request is too large", (error,)))
    else:
        response = await call_next(request)
    return response  # Serve itself echoes X-Request-ID


def problem_response(request: Request, problem: Problem) -> JSONResponse:
    """A problem as a response."""
    headers = {"Retry-After": str(problem.retry_after_s)} if problem.retry_after_s is not None else None
    return JSONResponse(problem.body(request.state.request_id), problem.status, headers, PROBLEM)


@api.exception_handler(Problem)
async def on_problem(request: Request, problem: Problem) -> JSONResponse:
    """A request that can't be answered."""
    return problem_response(request, problem)


@api.exception_handler(RequestValidationError)
async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """Fields that don't fit the schema: each with its path, value and remedy."""
    return problem_response(request, Problem(422, "invalid_request", "The request is not valid", tuple(map(_field_error, error.errors()))))


@api.exception_handler(HTTPException)
async def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
    """Unknown paths and methods."""
    remedy = FieldError("path", f"{request.method} {request.url.path}", str(error.detail), "see /openapi.json for what there is")
    return problem_response(
        request, Problem(error.status_code, "not_found" if error.status_code == 404 else "http_error", str(error.detail), (remedy,))
    )


def _field_error(fault: Any) -> FieldError:
    path = ".".join(str(part) for part in fault["loc"] if part != "body") or "body"
    value = fault.get("input")
    shown = value if isinstance(value, int | float | bool | None) else str(value)[:200]
    return FieldError(
        path, shown, fault["msg"], _REMEDIES.get(fault["type"], "correct it as the message says; limits are in /openapi.json")
    )


@serve.deployment(name="Ingress", max_ongoing_requests=128, max_queued_requests=512, ray_actor_options={"num_cpus": 0.3})
@serve.ingress(api)
class Ingress:
    """The front door. Holds the pipeline and the handles of every stage."""

    def __init__(
        self,
        settings: GraphSettings,
        versions: dict[str, str],
        retrieval: DeploymentHandle,
        generator: DeploymentHandle,
        persuasion: DeploymentHandle,
        sentiment: DeploymentHandle,
        fusion: DeploymentHandle,
    ) -> None:
        self._handles = {"retrieval": retrieval, "generator": generator, "persuasion": persuasion, "sentiment": sentiment, "fusion": fusion}
        self._telemetry = Telemetry()
        self._pipeline = Pipeline(
            calls(**self._handles),
            Templates(load(settings.copybook)),
            prompt_style=settings.generator.prompt_style,
            spare_drafts=settings.generator.spare_drafts,
            versions=versions,
        )

    @api.post(
        "/v1/copy",
        response_model=CopyAnswer,
        responses={422: {"description": "problem+json"}, 404: {"description": "problem+json"}, 503: {"description": "problem+json"}},
    )
    async def copy(self, body: CopyRequest, request: Request) -> Response:
        """Write copy for one shopper at one moment."""
        try:
            answer = await self._pipeline.answer(body, request.state.request_id)
        except Problem as problem:
            self._telemetry.count_status(problem.status)
            raise
        self._telemetry.count_status(200)
        self._telemetry.observe(answer)
        return Response(answer.model_dump_json(), media_type="application/json")

    @api.get("/healthz")
    async def healthz(self) -> dict[str, str]:
        """Is this process up?"""
        return {"status": "ok"}

    @api.get("/readyz")
    async def readyz(self) -> JSONResponse:
        """Does every stage answer? 503 with the state of each where one doesn't."""
        states = dict(zip(self._handles, await asyncio.gather(*map(self._state_of, self._handles)), strict=True))
        ready = all(state == "ready" for state in states.values())
        return JSONResponse(
            {"status": "ready" if ready else "not ready", "stages": states}, 200 if ready else 503, {} if ready else {"Retry-After": "2"}
        )

    async def _state_of(self, stage: str) -> str:
        try:
            await asyncio.wait_for(call(stage, self._handles[stage].ready.remote()), READY_TIMEOUT_S)
        except Exception as error:  # whatever it is, it is the state that the probe reports
            return f"not ready ({type(error).__name__})"
        return "ready"

    @api.get("/metrics", response_class=PlainTextResponse)
    async def metrics(self) -> Response:
        """Prometheus metrics of this replica."""
        return Response(self._telemetry.exposition(), media_type="text/plain; version=0.0.4")
