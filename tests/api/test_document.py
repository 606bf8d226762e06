"""The OpenAPI document, the pages made from it, health and metrics."""

import re
from typing import Any

import jsonschema_rs
import psycopg
import pytest
from werkzeug.test import Client as WsgiClient

from app.api.errors import STATUS, every_error
from app.api.openapi import document
from app.api.reference import pages
from app.api.routing import ROUTES, is_id
from tests.api.client import Caller
from tests.harness import Servers


@pytest.fixture(scope="module")
def made(application: object) -> dict[str, Any]:
    return document()


def test_every_error_has_a_status_and_every_status_an_error(application: object) -> None:
    assert {error.code for error in every_error()} == set(STATUS)


def test_operation_names_are_unique_and_every_operation_is_described(made: dict[str, Any]) -> None:
    names = [route.operation_id for route in ROUTES]
    assert len(names) == len(set(names))
    for route in ROUTES:
        assert route.description.strip(), route.operation_id
        assert route.summary.strip(), route.operation_id


def test_every_example_fits_its_schema(made: dict[str, Any]) -> None:
    wrong = []
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            contents = list(operation.get("requestBody", {}).get("content", {}).values())
            for answer in operation["responses"].values():
                contents += answer.get("content", {}).values()
            for content in contents:
                if "example" in content:
                    schema = {**content["schema"], "components": made["components"]}
                    if not jsonschema_rs.is_valid(schema, content["example"]):
                        wrong.append((method, path, content["example"]))
    assert wrong == []


def test_a_text_in_a_query_says_which_characters_it_takes(api: Caller, made: dict[str, Any]) -> None:
    """No parameter takes NUL; a client made from the document must not learn that from a 400."""
    asked = 0
    for path, methods in made["paths"].items():
        for each in methods.get("get", {}).get("parameters", ()):
            told = each["schema"].keys() & {"pattern", "format", "enum", "const"}
            if each["in"] == "query" and each["schema"].get("type") == "string" and told <= {"pattern"}:
                assert not re.search(each["schema"]["pattern"], "a\0"), (path, each["name"])
                if "{" not in path:
                    answer = api.get(path, **{each["name"]: "a\0"})
                    assert (answer.status_code, set(answer.json["details"])) == (400, {each["name"]})
                    asked += 1
    assert asked > 10


def test_links_lead_to_operations_and_fill_their_paths(made: dict[str, Any]) -> None:
    operations = {
        operation["operationId"]: operation
        for methods in made["paths"].values() for operation in methods.values()
    }
    reached: dict[str, set[str]] = {}
    for operation in operations.values():
        for status, answer in operation["responses"].items():
            for name, link in answer.get("links", {}).items():
                assert (name, status[0]) == (link["operationId"], "2")
                taken = {each["name"] for each in operations[name]["parameters"] if each["in"] == "path"}
                assert set(link["parameters"]) == taken, name
                reached.setdefault(name, set()).add(operation["operationId"])
    assert {"upsert_participant"} <= reached["get_participant"]
    assert {"create_rule"} == reached["update_rule"]
    assert {"redeem_item", "redeem_amount"} == reached["reverse_redemption"]
    assert "adjust_participant_balance" in reached["get_journal_entry"]
    assert "add_group_members" in reached["remove_group_member"]
    # What is made by calls is reached from them; others are made by the system, or named as they like.
    left = {
        route.pattern for route in ROUTES
        if any(map(is_id, route.parameters)) and route.operation_id not in reached and route.method != "PUT"
    }
    assert left == {"/v1/logs/{id}", "/v1/programs/{id}/participants/{participant_id}"}


def test_the_document_is_served_and_complete(http: WsgiClient, made: dict[str, Any]) -> None:
    served = http.get("/openapi.json")
    assert served.json == made
    assert served.json["openapi"] == "3.1.0"
    documented = {(method.upper(), path) for path, methods in made["paths"].items() for method in methods}
    assert documented == {(route.method, route.pattern) for route in ROUTES}
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', served.get_data(as_text=True)))
    assert references <= set(made["components"]["schemas"])


def test_the_page_needs_no_other_server(http: WsgiClient) -> None:
    answer = http.get("/docs")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/html")
    assert "http://" not in answer.get_data(as_text=True)
    assert "https://" not in answer.get_data(as_text=True)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_texts_name_every_operation(http: WsgiClient, made: dict[str, Any]) -> None:
    short, full = (http.get(path).get_data(as_text=True) for path in ("/llms.txt", "/llms-full.txt"))
    reference = "".join(pages(made).values())
    for route in ROUTES:
        for text in (short, full, reference):
            assert f"`{route.method} {route.pattern}`" in text


def test_health_tells_what_is_there_and_what_is_missing(http: WsgiClient, redis_client: Any) -> None:
    assert http.get("/health/live").json == {"status": "ok"}
    answer = http.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json["parts"] == {
        "database": "ok",
        "schema": "ok",
        "redis": "ok",
        "worker": "no heartbeat",
        "scheduler": "no heartbeat",
    }
    for part in ("worker", "scheduler"):
        redis_client.set(f"florin:heartbeat:{part}", 1, ex=10)
    answer = http.get("/health/ready")
    assert (answer.status_code, answer.json["status"]) == (200, "ok")


@pytest.mark.parametrize(("stands", "told"), [("9999", "ok"), ("0001", "stands at 0001, the code needs {}")])
def test_a_schema_newer_than_the_code_is_ready_and_an_older_one_is_not(
    http: WsgiClient, servers: Servers, stands: str, told: str
) -> None:
    with psycopg.connect(servers.plan.owner_url(servers.plan.name), autocommit=True) as owner:
        row = owner.execute("SELECT version_num FROM alembic_version").fetchone()
        assert row is not None
        owner.execute("UPDATE alembic_version SET version_num = %s", (stands,))
        try:
            schema = http.get("/health/ready").json["parts"]["schema"]
        finally:
            owner.execute("UPDATE alembic_version SET version_num = %s", row)
    assert schema == told.format(row[0])


def test_metrics_count_requests_of_every_process(api: Caller, http: WsgiClient, redis_client: Any) -> None:
    api.program()
    api.http.application.server.recorder.flush()
    text = http.get("/metrics").get_data(as_text=True)
    assert 'florin_http_requests_total{method="POST",route="/v1/programs",status="201"} 1.0' in text
    assert 'florin_http_request_duration_seconds_count{method="POST",route="/v1/programs"} 1.0' in text
    for name in (
        "events_accepted_total",
        "events_decided_total",
        "queue_depth",
        "sweeper_rescues_total",
        "invariant_violations_total",
        "event_oldest_waiting_seconds",
    ):
        assert f"\nflorin_{name}" in text
    assert 'florin_server_up{server="postgresql"} 1.0' in text
