"""Errors that a caller sees, as `application/problem+json` (RFC 9457) with a stable code, and the one that a stage raises.

Every problem names the field, the value and the remedy.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field. `field` is a path such as `shopper.locale`."""

    field: str
    value: Any
    detail: str
    remedy: str


class Problem(Exception):
    """A request that can't be answered. `code` is stable; `status` is the HTTP status."""

    def __init__(self, status: int, code: str, title: str, errors: tuple[FieldError, ...] = (), retry_after_s: int | None = None) -> None:
        super().__init__(title, *(f"{e.field}={e.value!r}: {e.detail}; {e.remedy}" for e in errors))
        self.status, self.code, self.title, self.errors, self.retry_after_s = status, code, title, errors, retry_after_s

    def __reduce__(self) -> tuple[type["Problem"], tuple[object, ...]]:
        """Crosses processes whole: Exception alone would be rebuilt from its message."""
        return Problem, (self.status, self.code, self.title, self.errors, self.retry_after_s)

    def body(self, request_id: str) -> dict[str, Any]:
        """The problem document."""
        return {
            "type": f"urn:suasion:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "errors": [{"field": e.field, "value": e.value, "detail": e.detail, "remedy": e.remedy} for e in self.errors],
            "request_id": request_id,
        }


def invalid(field: str, value: Any, detail: str, remedy: str) -> Problem:
    """422 for one field."""
    return Problem(422, "invalid_request", "The request is not valid", (FieldError(field, value, detail, remedy),))


def unknown(field: str, value: str, remedy: str) -> Problem:
    """404 for an id that is not in the tables."""
    return Problem(
        404,
        f"unknown_{field.removesuffix('_id')}",
        f"No such {field.removesuffix('_id')}",
        (FieldError(field, value, "is not known", remedy),),
    )


def unavailable(stage: str, detail: str) -> Problem:
    """503 when a stage without which no answer is possible does not answer."""
    error = FieldError("stage", stage, detail, "try again after the time in Retry-After")
    return Problem(503, "stage_unavailable", f"{stage} does not answer", (error,), retry_after_s=2)


class StageUnavailable(Exception):
    """A stage was too slow, too busy or gone. The pipeline answers without it and says so in `degraded`."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(stage, reason)
        self.stage, self.reason = stage, reason
