"""Spans of requests and of a worker: what they hold, and that there are none unless somebody asks."""

from __future__ import annotations

import builtins

import pytest

from tagtower.errors import ConfigError, MissingExtraError
from tagtower.faces.tracing import Tracing, start_tracing, wanted


@pytest.fixture
def spans():
    """A tracing whose spans are kept in memory, and these."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry import propagate
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider.get_tracer("tests"), propagate.extract), exporter.get_finished_spans


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "console"}, False),
    ],
)
def test_spans_are_made_only_where_the_environment_asks_for_them(environment, asked):
    assert wanted(environment) is asked


def test_without_a_wish_nothing_is_imported_or_kept(monkeypatch):
    monkeypatch.setattr(builtins, "__import__", lambda *_, **__: pytest.fail("something was imported"))
    tracing = start_tracing("x", {})
    monkeypatch.undo()
    with tracing.span("a", {"b": 1}) as note:
        note("c", {})


def test_a_missing_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name: str, *arguments: object) -> object:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError) as raised:
        start_tracing("x", {"OTEL_TRACES_EXPORTER": "otlp"})
    assert "otel" in f"{raised.value.message} {raised.value.hint}"


def test_an_exporter_that_nobody_has_is_refused():
    pytest.importorskip("opentelemetry.sdk")
    with pytest.raises(ConfigError, match="zipkin"):
        start_tracing("x", {"OTEL_TRACES_EXPORTER": "zipkin"})


def test_a_failure_is_told_by_its_type_alone(spans):
    tracing, finished = spans
    with pytest.raises(KeyError), tracing.span("work", {"none": None, "one": 1}):
        raise KeyError("secret")
    (span,) = finished()
    assert dict(span.attributes) == {"one": 1, "error.type": "KeyError"}
    assert span.events == ()
