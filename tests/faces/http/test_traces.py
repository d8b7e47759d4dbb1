"""The spans of requests, as the server makes them."""

from __future__ import annotations

import pytest

from tagtower.faces.tracing import Tracing


@pytest.fixture
def finished(shared):
    """The spans of the shared server."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry import propagate
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    parts = shared.client.app.state.parts
    parts.tracing = Tracing(provider.get_tracer("tests"), propagate.extract)
    yield exporter.get_finished_spans
    parts.tracing = Tracing()


def test_a_request_has_one_span_with_its_id_and_without_what_was_asked(shared, finished) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"X-Request-ID": "abc-7", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    shared.get("/v1/videos", params={"words": "private"}, headers=headers)
    shared.get("/nowhere/private", None)
    first, second = finished()
    assert first.name == "GET /v1/videos"
    assert dict(first.attributes) == {
        "http.request.method": "GET",
        "http.route": "/v1/videos",
        "http.response.status_code": 200,
        "tagtower.request_id": "abc-7",
        "tagtower.principal": "admin",
    }
    assert f"{first.context.trace_id:032x}" == trace, "it belongs to the caller's trace"
    assert second.attributes["http.response.status_code"] == 404
    assert "private" not in first.to_json() + second.to_json()
