"""Who may come: hosts, origins, tokens; and what every answer bears."""

from __future__ import annotations

import ipaddress
import os
import re
import subprocess
import sys

import httpx
import psutil
import pytest
from calls import begin, upload, wait

from undark.errors import UsageError
from undark.serve.settings import Limits, Settings

TOKEN = "a-token-of-the-tests-0123456789"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example",
                                  "[::1", "localhost@evil.example", "0.0.0.0"])  # fmt: skip
def test_a_name_that_is_not_the_servers_is_refused(client, host):
    for address in ("v1/models", "", "healthz"):
        answer = client.get(address, headers={"Host": host})
        assert answer.status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1234", "[::1]:80", "LOCALHOST."])
def test_this_machines_own_names_are_known(client, host):
    assert client.get("healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_pages_may_not_write(client, photo, headers):
    for method, address in (("POST", "v1/enhance"), ("PUT", f"v1/uploads/{'x' * 20}"),
                            ("POST", "v1/jobs"), ("DELETE", f"v1/jobs/{'x' * 20}")):  # fmt: skip
        answer = client.request(method, address, headers=headers, content=photo.read_bytes())
        assert answer.status_code == 403, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_servers_own_page_may_write_and_others_see_nothing(client, server, photo):
    own = {"Origin": server.url.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    answer = client.post(
        "v1/enhance", params={"model": "curve"}, headers=own, content=photo.read_bytes()
    )
    assert answer.status_code == 200
    asked = client.options(
        "v1/enhance",
        headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"},
    )
    assert "access-control-allow-origin" not in asked.headers
    told = client.get("v1/models", headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in told.headers


def test_a_page_that_is_named_may_use_the_api(start, photo):
    token = {"Authorization": f"Bearer {TOKEN}"}
    client = start("--cors", "https://friend.example", "--token", TOKEN).client
    friend = {"Origin": "https://friend.example"}
    asked = client.options("v1/enhance", headers=friend | {"Access-Control-Request-Method": "POST"})
    assert asked.headers["access-control-allow-origin"] == "https://friend.example"
    friend |= token
    answer = client.post(
        "v1/enhance", params={"model": "curve"}, headers=friend, content=photo.read_bytes()
    )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://friend.example"
    other = client.post("v1/enhance", headers={"Origin": "https://b.example"}, content=b"x")
    assert other.status_code == 403


def test_a_token_is_asked_for_and_a_cookie_stands_for_it(start, photo):
    server = start("--token", TOKEN)
    client = server.client
    for address in ("v1/models", "metrics", "openapi.json", f"v1/jobs/{'x' * 20}", "v1/none"):
        answer = client.get(address)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for address in ("healthz", "readyz"):
        assert client.get(address).status_code in (200, 503)
    assert client.get("v1/models", headers={"Authorization": "Bearer wrong"}).status_code == 401
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("v1/models", headers=bearer).status_code == 200
    assert client.post("v1/session", json={"token": "no"}).status_code == 401
    answer = client.post("v1/session", json={"token": TOKEN})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert client.get("v1/models").status_code == 200  # by its cookie
    assert upload(client, photo)["kind"] == "photo"
    forged = httpx.get(f"{server.url}v1/models", headers={"Cookie": "undark-session=x"})
    assert forged.status_code == 401
    assert TOKEN not in server.log.read_text(encoding="utf-8")


def test_the_token_may_come_from_the_environment(start):
    client = start(UNDARK_TOKEN=TOKEN).client
    assert client.get("v1/models").status_code == 401
    assert client.get("v1/models", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_another_address_than_this_machines_own_needs_a_token(host):
    done = subprocess.run(
        [sys.executable, "-m", "undark", "serve", "--host", host, "--check"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "token" in done.stderr and len(done.stderr.splitlines()) == 1
    with pytest.raises(UsageError, match="token"):
        Settings(host=host)
    assert Settings(host=host, token=TOKEN).token == TOKEN


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"port": 70000}, "port"),
        ({"workers": 0}, "worker"),
        ({"idle": 0.0}, "idle"),
        ({"token": "short"}, "16"),
        ({"token": "with a blank in its middle"}, "blank"),
        ({"token": "ä" * 20}, "ASCII"),
        ({"cors": ("*",)}, "origin"),
        ({"cors": ("https://a.example/path",)}, "origin"),
        ({"public_url": "example.org"}, "address"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, told):
    with pytest.raises(UsageError, match=told):
        Settings(**values)


def test_limits_are_at_least_one():
    for name in Limits.__slots__:
        with pytest.raises(UsageError, match=name):
            Limits(**{name: 0})
        with pytest.raises(UsageError, match=name):
            Limits(**{name: float("nan")})


def test_every_answer_bears_the_headers_of_safety(client):
    for address in ("", "v1/models", "v1/none", "healthz"):
        headers = client.get(address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers


def test_it_works_behind_a_proxy_under_a_path_stripped_or_not(start, photo):
    server = start("--public-url", "https://photos.example/a/b/")
    assert server.url.endswith("/a/b/")
    public = {"Host": "photos.example", "Origin": "https://photos.example"}
    for prefix in ("/a/b", ""):
        base = re.sub(r"/a/b/$", prefix + "/", server.url)
        with httpx.Client(base_url=base, headers=public, timeout=60) as client:
            assert client.get("healthz").status_code == 200
            sent = upload(client, photo)
            answer = client.post("v1/jobs", json={"upload": sent["id"], "model": "curve"})
            assert answer.headers["location"].startswith("/a/b/v1/jobs/")
            if prefix:
                job = httpx.get(
                    f"{server.url.removesuffix('/a/b/')}{answer.headers['location']}",
                    headers=public,
                )
                assert job.status_code == 200
    bare = httpx.get(server.url.rstrip("/"), headers=public)
    assert (bare.status_code, bare.headers["location"]) == (308, "/a/b/")


def test_requests_are_logged_without_names(start, photo):
    server = start()
    sent = upload(server.client, photo)
    server.client.get(f"v1/uploads/{sent['id']}/preview", params={"model": "curve"})
    assert server.stop() == 0
    log = server.log.read_text(encoding="utf-8")
    assert "undark: PUT /v1/uploads/{id} 201" in log
    assert "undark: GET /v1/uploads/{id}/preview 200" in log
    assert "night" not in log and sent["id"] not in log


def test_an_address_that_is_taken_is_an_error_in_a_line(server):
    port = server.url.rstrip("/").rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "undark", "serve", "--port", port, "--no-open"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "choose another port" in done.stderr and len(done.stderr.splitlines()) == 1


def test_check_says_what_is_ready_and_serves_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "undark", "serve", "--port", "0", "--check"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "worker: enhances a photo" in done.stdout
    assert "relight" in done.stdout


@pytest.mark.parametrize(
    "options",
    [["--idle", "soon"], ["--max-pixels", "many"], ["--max-body", "-1"], ["--keep", "0"]],
)
def test_amounts_and_times_are_checked(options):
    done = subprocess.run(
        [sys.executable, "-m", "undark", "serve", "--check", *options],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert options[0] in done.stderr


WATCH = """
import os, sys

def watch(event, found):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        with open(os.environ["UNDARK_TESTS_LOG"], "a") as file:
            file.write(f"{event} {found[1:] if event == 'socket.connect' else found}\\n")

sys.addaudithook(watch)
"""


def test_nothing_leaves_this_machine(start, photo, tmp_path):
    """Neither the server nor its processes ask for any address but this machine's own."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    log = tmp_path / "sockets.log"
    paths = os.pathsep.join([str(tmp_path / "watch"), os.environ.get("PYTHONPATH", "")])
    server = start(PYTHONPATH=paths, UNDARK_TESTS_LOG=str(log))
    client = server.client
    for address in ("", "v1/models", "v1/about", "openapi.json", "metrics"):
        client.get(address)
    sent = upload(client, photo)
    client.get(f"v1/uploads/{sent['id']}/preview")
    wait(client, begin(client, sent["id"])["id"])
    for process in (
        server.process.pid,
        *(p.pid for p in psutil.Process(server.process.pid).children()),
    ):
        for item in psutil.Process(process).net_connections("inet"):
            assert ipaddress.ip_address(item.laddr.ip).is_loopback
            assert not item.raddr or ipaddress.ip_address(item.raddr.ip).is_loopback
    assert server.stop() == 0
    said = log.read_text()
    assert "127.0.0.1" in said  # it was watched
    assert all("127.0.0.1" in line for line in said.splitlines()), said


@pytest.mark.parametrize("root", ["/v", "/m"])
def test_a_path_of_a_proxy_gets_nobody_round_the_token(start, root):
    server = start("--public-url", f"http://localhost{root}/", "--token", TOKEN)
    base = server.url.removesuffix(f"{root}/")
    for place in ("/v1/models", "/metrics", "/openapi.json"):
        for address in (f"{base}{place}", f"{base}{root}{place}", f"{base}{root}{root}{place}"):
            assert httpx.get(address).status_code in (401, 404), address
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{base}{root}/v1/models", headers=headers).status_code == 200
    assert "Warning" not in server.log.read_text(encoding="utf-8")
