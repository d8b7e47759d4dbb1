"""Spans for OpenTelemetry: of requests and of what a worker writes; nothing at all where nobody asked for them.

FastAPI's own spans and those of instrumentation libraries hold the query of a request, and with it what was searched
for. These hold what the log holds: the template of a route, never query, headers or body.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias, final

from tagtower.errors import ConfigError, MissingExtraError

Note: TypeAlias = Callable[[str | None, Mapping[str, Any]], None]
"""Gives a span that is open another name, where there is one, and more facts."""

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORTER, DISABLED = "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED"


@final
class Tracing:
    """Opens spans, if it has a tracer; `extract` reads where a caller's trace goes on."""

    def __init__(self, tracer: Any = None, extract: Callable[[Mapping[str, str]], Any] | None = None) -> None:
        self._tracer = tracer
        self._extract = extract

    @contextmanager
    def span(
        self, name: str, facts: Mapping[str, Any], *, caller: Mapping[str, str] | None = None
    ) -> Iterator[Note]:
        """Hold a span open; an exception that leaves the block is told by its type.

        Args:
            caller: the headers of a request, which may name the trace that it belongs to.
        """
        if self._tracer is None:
            yield _nothing
            return
        context = self._extract(caller) if self._extract is not None and caller is not None else None
        with self._tracer.start_as_current_span(
            name, context, attributes=_plain(facts), record_exception=False, set_status_on_exception=False
        ) as span:

            def note(other: str | None, more: Mapping[str, Any]) -> None:
                if other is not None:
                    span.update_name(other)
                span.set_attributes(_plain(more))

            try:
                yield note
            except Exception as fault:
                span.set_attribute("error.type", type(fault).__name__)
                raise


def wanted(environment: Mapping[str, str]) -> bool:
    """Return whether the environment asks for traces, as OpenTelemetry's standard has it."""
    if environment.get(DISABLED, "").strip().lower() == "true":
        return False
    exporter = environment.get(EXPORTER, "").strip().lower()
    return exporter != "none" and bool(exporter or any(environment.get(name) for name in ENDPOINTS))


def start_tracing(service: str, environment: Mapping[str, str] | None = None) -> Tracing:
    """Return what opens spans; they are sent as the OTEL_* variables say, and nowhere where none is set.

    Args:
        service: how this program is called, unless OTEL_SERVICE_NAME says otherwise.
    Raises:
        MissingExtraError: traces are asked for, and OpenTelemetry is not installed.
        ConfigError: another exporter than `otlp`, `console` and `none` is asked for.
    """
    environment = os.environ if environment is None else environment
    if not wanted(environment):
        return Tracing()
    try:
        from opentelemetry import propagate
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ImportError:
        raise MissingExtraError("Tracing, which OTEL_* variables ask for", "otel") from None
    exporter = environment.get(EXPORTER, "").strip().lower() or "otlp"
    if exporter not in ("otlp", "console"):
        raise ConfigError(f"{EXPORTER} is {exporter!r}.", hint="Give otlp (over HTTP), console or none.")
    named = environment.get("OTEL_SERVICE_NAME") or service
    provider = TracerProvider(resource=Resource.create({"service.name": named}))
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter() if exporter == "otlp" else ConsoleSpanExporter())
    )
    return Tracing(provider.get_tracer("tagtower"), propagate.extract)


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _nothing(name: str | None, facts: Mapping[str, Any]) -> None:
    pass
