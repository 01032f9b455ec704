"""What `GET /metrics` shows of one ingress replica, in Prometheus text. Node and engine metrics are exported by Ray itself."""

from collections.abc import Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from feedback.records import Status
from serve.messages import CopyAnswer

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Telemetry:
    """Counters and histograms of answers; no personal data, labels are closed sets."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("suasion_copy_requests", "Requests by status", ["status"], registry=self._registry)
        self._answers = Counter("suasion_copy_answers", "Answers by channel and locale", ["channel", "locale"], registry=self._registry)
        self._degraded = Counter("suasion_copy_degraded", "Answers that had to do without a stage", ["stage"], registry=self._registry)
        self._refused = Counter("suasion_drafts_refused", "Drafts that the check refused", registry=self._registry)
        self._tokens = Counter("suasion_output_tokens", "Tokens that the generator wrote", registry=self._registry)
        self._events = Counter("suasion_events", "Behaviour events by what became of them", ["status"], registry=self._registry)
        self._seconds = Histogram("suasion_stage_seconds", "Time by stage", ["stage"], buckets=_BUCKETS_S, registry=self._registry)

    def count_status(self, status: int) -> None:
        """One finished request."""
        self._requests.labels(str(status)).inc()

    def count_events(self, counts: Mapping[Status, int]) -> None:
        """One batch of events."""
        for status, count in counts.items():
            self._events.labels(status).inc(count)

    def observe(self, answer: CopyAnswer) -> None:
        """One answer."""
        self._answers.labels(answer.channel, answer.locale).inc()
        for stage in {entry.split(":")[0] for entry in answer.degraded}:
            self._degraded.labels(stage).inc()
        self._refused.inc(answer.usage.refused)
        self._tokens.inc(answer.usage.output_tokens)
        for stage, milliseconds in answer.timings_ms.items():
            self._seconds.labels(stage).observe(milliseconds / 1000)

    def exposition(self) -> bytes:
        """Prometheus text format."""
        return generate_latest(self._registry)


@cache
def telemetry() -> Telemetry:
    """The one of this process. Made on first use: an application that is sent to a replica can't carry locks."""
    return Telemetry()
