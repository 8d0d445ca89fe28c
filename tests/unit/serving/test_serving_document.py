"""The OpenAPI document is true: whatever it allows is answered as it says, and nothing fails."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import content_type_conformance, not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from serving_client import BEARER, SETTINGS, client_of

from simsearch import Collection
from simsearch.serving.served import Served

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from simsearch.types import Encoder

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 5
DRAWN = settings(
    deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
NOT_FUZZED = ("host", "authorization")


@pytest.fixture(scope="module")
def fuzzed(made: Path, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client with the token of a collection that may be changed in any way."""
    place = tmp_path_factory.mktemp("fuzzed")
    shutil.copytree(made, place, dirs_exist_ok=True)
    with Collection.open(place / "index") as collection:
        collection.move(made / "gallery", place / "gallery")
        collection.enroll("Ana", [place / "gallery/cats/0.png"])
    with client_of([Served("index", place / "index", encoder)], SETTINGS) as client:
        client.headers.update(BEARER)
        yield client


def operations(client: TestClient) -> Iterator[Any]:
    document = client.get("/openapi.json").json()
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        yield found.ok()


def test_what_the_document_allows_is_answered_as_it_says(fuzzed: TestClient) -> None:
    """Requests that fit the document and requests that do not, drawn for each call."""
    jobs = fuzzed.app.state.context.jobs  # type: ignore[attr-defined]
    answered = Counter[int]()

    def check(case: schemathesis.Case) -> None:
        sent = requests.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1:8765")).prepare()
        headers = {name: value for name, value in sent.headers.items() if name.lower() not in NOT_FUZZED}
        answer = fuzzed.request(sent.method, sent.url, content=sent.body, headers={**headers, **BEARER})
        answer.request.read()
        for job in jobs.all():
            jobs.wait(job.id)
        answered[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    for operation in operations(fuzzed):
        for mode in GenerationMode:
            drawn = operation.as_strategy(generation_mode=mode)
            seed(0)(settings(DRAWN, max_examples=EXAMPLES)(given(drawn)(check)))()
    assert answered[200] > 50
    assert answered[422] > 10
