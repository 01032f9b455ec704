"""What every HTTP answer has, whatever the route: a request id, a limit on the body, a count by status, and problem+json for all that
goes wrong. `framed` puts it around an application; the routes are in `ingress.py`.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.errors import FieldError, Problem
from serve.telemetry import telemetry

MAX_BODY_BYTES = 256 << 10
MAX_BATCH_BYTES = 16 << 20
BATCH = "/v1/copy/batch"
PROBLEM = "application/problem+json"
_SHOWN_CHARS = 200
_COUNTED = "/v1/copy"
_REMEDIES = {
    "extra_forbidden": "remove it; the known fields are in /openapi.json",
    "missing": "add it",
    "literal_error": "use one of the values that are named",
    "json_invalid": "send one JSON object",
}


def framed(app: FastAPI) -> FastAPI:
    """Add everything of this module to an application, and return it."""
    app.add_middleware(BodyLimit)  # first, so innermost: what it raises meets the route's own error handling
    app.middleware("http")(with_request_id)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(AnyHTTPException, on_http_error)
    app.add_exception_handler(Exception, on_unexpected)
    return app


class BodyLimit:
    """Counts the body as it arrives, whatever its headers say of its length."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        received, limit = 0, limit_of(scope.get("path", ""))

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413, f"more than {limit} bytes")
            return message

        await self._app(scope, counted if scope["type"] == "http" else receive, send)


def limit_of(path: str) -> int:
    """How many bytes a request to this path may send."""
    return MAX_BATCH_BYTES if path == BATCH else MAX_BODY_BYTES


def request_id_of(request: Request) -> str:
    """The caller's X-Request-ID where it is printable and short, else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if given.isascii() and given.isprintable() and 0 < len(given) <= 128 else uuid4().hex


async def with_request_id(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Give every request an id, refuse at once a body that says it is too large, and count how requests end."""
    request.state.request_id = request_id_of(request)
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > limit_of(request.url.path):
        response: Response = problem_response(request, _too_large(request, f"{length} bytes"))
    else:
        response = await call_next(request)
    if request.url.path == _COUNTED:
        telemetry().count_status(response.status_code)
    return response  # Serve itself echoes X-Request-ID


def problem_response(request: Request, problem: Problem) -> JSONResponse:
    """A problem as a response."""
    headers = {"Retry-After": str(problem.retry_after_s)} if problem.retry_after_s is not None else None
    return JSONResponse(problem.body(request.state.request_id), problem.status, headers, PROBLEM)


async def on_problem(request: Request, problem: Exception) -> JSONResponse:
    """A request that can't be answered."""
    assert isinstance(problem, Problem)
    return problem_response(request, problem)


async def on_invalid(request: Request, error: Exception) -> JSONResponse:
    """Fields that don't fit the schema: each with its path, value and remedy."""
    assert isinstance(error, RequestValidationError)
    return problem_response(request, Problem(422, "invalid_request", "The request is not valid", tuple(map(field_error, error.errors()))))


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Unknown paths and methods, and bodies that turn out too large."""
    assert isinstance(error, AnyHTTPException)
    if error.status_code == 413:
        return problem_response(request, _too_large(request, f"{error.detail} so far"))
    remedy = FieldError("path", f"{request.method} {request.url.path}", str(error.detail), "see /openapi.json for what there is")
    code = "not_found" if error.status_code == 404 else "http_error"
    return problem_response(request, Problem(error.status_code, code, str(error.detail), (remedy,)))


async def on_unexpected(request: Request, error: Exception) -> JSONResponse:
    """A fault of ours. Its text stays in the log, where the server's own error handling puts it; the caller gets the id to ask about."""
    if request.url.path == _COUNTED:
        telemetry().count_status(500)
    remedy = FieldError("request", type(error).__name__, "failed in the server", "report the request id; trying again may help")
    return problem_response(request, Problem(500, "internal_error", "The server failed", (remedy,)))


def _too_large(request: Request, shown: str) -> Problem:
    detail = f"more than {limit_of(request.url.path)} bytes"
    error = FieldError("body", shown, detail, "send less context, or fewer events or lines at once")
    return Problem(413, "too_large", "The request is too large", (error,))


def field_error(fault: Any) -> FieldError:
    """A fault that pydantic found, as a problem tells it."""
    path = ".".join(str(part) for part in fault["loc"] if part != "body") or "body"
    usual = _REMEDIES.get(fault["type"], "correct it as the message says; limits are in /openapi.json")
    remedy = str(fault.get("ctx", {}).get("remedy", usual))
    return FieldError(_writable(path), _shown(fault.get("input")), _writable(fault["msg"]), remedy)


def _shown(value: Any) -> Any:
    """A value as a problem document can hold it: JSON has no NaN, and UTF-8 no half of a surrogate pair."""
    if isinstance(value, bool | int | None) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return _writable(str(value)[:_SHOWN_CHARS])


def _writable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
