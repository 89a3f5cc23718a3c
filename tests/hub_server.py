"""A hub on loopback: serves model and data set repositories from folders, as much as a client asks.

It answers the API calls and file requests that huggingface_hub makes for a download, and
refuses as the public hub does: by status and `X-Error-Code`.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

API = re.compile(
    r"/api/(models|datasets)/(?P<id>[^/]+/[^/]+|[^/]+?)(?P<rest>/(revision|tree)/.*)?$"
)
FILE = re.compile(
    r"/(?P<data>datasets/)?(?P<id>[^/]+/[^/]+|[^/]+)/resolve/(?P<rev>[^/]+)/(?P<path>.+)"
)


@dataclass
class Repository:
    """`revisions`: branch or tag -> folder. `refusal`: (status, error code) for every request."""

    revisions: dict[str, Path]
    refusal: tuple[int, str] | None = None

    def commit(self, revision: str) -> str | None:
        """The 40-digit commit of a branch, a tag or a commit; None where there is none."""
        commits = {name: sha(str(folder)) for name, folder in self.revisions.items()}
        return commits.get(revision) or (revision if revision in commits.values() else None)

    def folder(self, commit: str) -> Path:
        return next(each for each in self.revisions.values() if sha(str(each)) == commit)


@dataclass
class Hub:
    """What the server holds, and every request it saw as (method, path, authorization)."""

    models: dict[str, Repository] = field(default_factory=dict)
    datasets: dict[str, Repository] = field(default_factory=dict)
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    endpoint: str = ""


def sha(text: str) -> str:
    return hashlib.sha1(text.encode("utf-8"), usedforsecurity=False).hexdigest()


@contextmanager
def serving() -> Iterator[Hub]:
    """A running hub; empty until repositories are put into it."""
    hub = Hub()
    server = Server(hub)
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Server(ThreadingHTTPServer):
    """The listening side; `hub` is what it serves."""

    daemon_threads = True

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub = hub


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.hub.seen.append((self.command, path, self.headers.get("Authorization", "")))
        if asked := API.fullmatch(path):
            kind = self.server.hub.models if asked[1] == "models" else self.server.hub.datasets
            self._describe(kind, asked["id"], asked["rest"] or "/revision/main")
        elif asked := FILE.fullmatch(path):
            kind = self.server.hub.datasets if asked["data"] else self.server.hub.models
            self._file(kind, asked)
        else:
            self._refuse(404, "RepoNotFound")

    def _commit(self, kind: dict[str, Repository], name: str, revision: str) -> str | None:
        """The commit asked for; where there is none, the refusal is already sent."""
        repository = kind.get(name)
        if repository is None:
            self._refuse(404, "RepoNotFound")
            return None
        if repository.refusal:
            self._refuse(*repository.refusal)
            return None
        commit = repository.commit(revision)
        if commit is None:
            self._refuse(404, "RevisionNotFound")
        return commit

    def _describe(self, kind: dict[str, Repository], name: str, rest: str) -> None:
        _, what, revision = rest.split("/", 2)
        commit = self._commit(kind, name, revision)
        if commit is None:
            return
        folder = kind[name].folder(commit)
        files = [each for each in sorted(folder.rglob("*")) if each.is_file()]
        names = [each.relative_to(folder).as_posix() for each in files]
        tree = [
            {"type": "file", "path": path, "size": each.stat().st_size, "oid": sha(str(each))}
            for path, each in zip(names, files, strict=True)
        ]
        about = {"id": name, "sha": commit, "siblings": [{"rfilename": path} for path in names]}
        self._send(200, json.dumps(tree if what == "tree" else about).encode("utf-8"), {})

    def _file(self, kind: dict[str, Repository], asked: re.Match[str]) -> None:
        commit = self._commit(kind, asked["id"], asked["rev"])
        if commit is None:
            return
        file = kind[asked["id"]].folder(commit) / asked["path"]
        if not file.is_file():
            self._refuse(404, "EntryNotFound")
            return
        body = file.read_bytes()
        etag = '"' + hashlib.sha256(body).hexdigest() + '"'
        self._send(200, body, {"ETag": etag, "X-Repo-Commit": commit})

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
