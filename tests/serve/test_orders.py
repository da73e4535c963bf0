"""Any order of sending, beginning, cancelling and forgetting leaves the server sound."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from calls import begin, upload, wait
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

ORDER = {"queued": 0, "running": 1, "done": 2, "failed": 2, "cancelled": 2}


@pytest.mark.slow  # many orders of requests, each against a real server
def test_any_order_of_requests_leaves_the_server_sound(start, photo) -> None:
    client: httpx.Client = start().client

    class Clients(RuleBasedStateMachine):
        uploads = Bundle("uploads")
        jobs = Bundle("jobs")

        def __init__(self) -> None:
            super().__init__()
            self.sent: set[str] = set()
            self.states: dict[str, str] = {}
            self.of: dict[str, str] = {}

        @rule(target=uploads)
        def send(self) -> str:
            id = upload(client, photo)["id"]
            self.sent.add(id)
            return id

        @rule(target=jobs, id=uploads, asked=st.sampled_from([{}, {"format": "png"}, {"crf": 20}]))
        def start(self, id: str, asked: dict[str, Any]) -> str:
            answer = client.post("v1/jobs", json={"upload": id, "model": "curve", **asked})
            if id not in self.sent:
                assert answer.status_code == 404
                return ""
            assert answer.status_code == 202
            job = answer.json()["id"]
            self.states[job] = "queued"
            self.of[job] = id
            return job

        @rule(id=consumes(uploads))
        def forget(self, id: str) -> None:
            there = id in self.sent
            assert client.delete(f"v1/uploads/{id}").status_code == (204 if there else 404)
            self.sent.discard(id)

        @rule(id=jobs)
        def look(self, id: str) -> None:
            if id in self.states:
                status = client.get(f"v1/jobs/{id}").json()["status"]
                assert ORDER[status] >= ORDER[self.states[id]]
                assert status != "failed"
                if ORDER[self.states[id]] == 2:
                    assert status == self.states[id]
                self.states[id] = status

        @rule(id=jobs)
        def follow(self, id: str) -> None:
            if id in self.states:
                text = client.get(f"v1/jobs/{id}/events").text
                assert '"status":"done"' in text or '"status":"cancelled"' in text
                self.look(id)
                assert ORDER[self.states[id]] == 2

        @rule(id=jobs)
        def fetch(self, id: str) -> None:
            if id in self.states and wait(client, id)["status"] == "done":
                result = client.get(f"v1/jobs/{id}/result")
                assert result.status_code == 200 and len(result.content) > 1000

        @rule(id=jobs)
        def end(self, id: str) -> None:
            """Cancels a job, or forgets it where it is over."""
            if id in self.states:
                assert client.delete(f"v1/jobs/{id}").status_code == 204
                answer = client.get(f"v1/jobs/{id}")
                if answer.status_code == 404:
                    del self.states[id]
                else:
                    assert answer.json()["status"] == "cancelled"
                    self.states[id] = "cancelled"

        @invariant()
        def lives(self) -> None:
            assert client.get("healthz").status_code == 200

        def teardown(self) -> None:
            for id in self.states:
                wait(client, id)
                client.delete(f"v1/jobs/{id}")
            for id in self.sent:
                client.delete(f"v1/uploads/{id}")
            limit = time.monotonic() + 5
            while not {"undark_store_bytes 0.0", "undark_queue 0.0"} <= set(
                client.get("metrics").text.splitlines()
            ):
                assert time.monotonic() < limit, "something is kept that nobody can ask for"

    run_state_machine_as_test(
        Clients, settings=settings(max_examples=20, stateful_step_count=15, deadline=None)
    )
    assert begin(client, upload(client, photo)["id"], model="curve")["status"] != "failed"
