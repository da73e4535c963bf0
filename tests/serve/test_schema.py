"""The OpenAPI description is whole, and what it describes never ends in the server's own fault."""

from __future__ import annotations

import pytest
import schemathesis
from calls import upload
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CASES = 120  # For each of seventeen operations: two thousand in all.

CHECKS = (
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)


OPERATIONS = [
    ("/v1/enhance", "post"),
    ("/v1/uploads/{id}", "put"),
    ("/v1/uploads/{id}", "get"),
    ("/v1/uploads/{id}", "delete"),
    ("/v1/uploads/{id}/preview", "get"),
    ("/v1/jobs", "post"),
    ("/v1/jobs/{id}", "get"),
    ("/v1/jobs/{id}", "delete"),
    ("/v1/jobs/{id}/events", "get"),
    ("/v1/jobs/{id}/result", "get"),
    ("/v1/archive", "get"),
    ("/v1/about", "get"),
    ("/v1/models", "get"),
    ("/v1/session", "post"),
    ("/healthz", "get"),
    ("/readyz", "get"),
    ("/metrics", "get"),
]


def test_it_describes_each_route_with_its_problems(client):
    described = client.get("openapi.json").json()
    assert described["openapi"].startswith("3.1")
    operations = [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    assert {(path, method) for path, method, _ in operations} == set(OPERATIONS)
    for path, method, operation in operations:
        assert operation.get("summary") and operation.get("description"), (path, method)
        if path.startswith("/v1"):
            problem = operation["responses"]["421"]["content"]
            assert list(problem) == ["application/problem+json"], (path, method)
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description") or parameter["in"] == "path", (path, parameter)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_request_ends_in_the_servers_own_fault(client, server, photo, path, method):
    described = schemathesis.openapi.from_dict(client.get("openapi.json").json())
    sent = upload(client, photo)

    @given(described[path][method].as_strategy(), st.booleans())
    @settings(
        max_examples=CASES,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def holds(case: Case, is_there: bool) -> None:
        # Some are about an upload that is there.
        if is_there and "/uploads/" in path and method == "get":
            case.path_parameters["id"] = sent["id"]
        if is_there and path == "/v1/jobs" and isinstance(case.body, dict):
            case.body["upload"] = sent["id"]
        response = case.call(base_url=server.url.rstrip("/"), timeout=30)
        case.validate_response(response, checks=list(CHECKS))

    holds()
