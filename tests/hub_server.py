"""A server on loopback that speaks as much of the Hugging Face hub as its client needs, and fails on demand.

Small files are answered directly; large ones (LFS) by a redirect to ``/cdn/SHA256``, which knows ranges.
A fault is consumed by the first request that matches it, so "500, then success" is two entries.
"""

import hashlib
import json
import socket
import struct
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse

from tests.waiting import PATIENCE

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LFS_ENDINGS = (".safetensors", ".bin", ".npy", ".gz")


@dataclass
class Hub:
    """The served repositories, the faults still to come, and the requests that came.

    Attributes
    ----------
    files : {"owner/name": {file name: bytes}}, and "owner/name@revision" for other revisions than main
    faults : {key: [fault, …]}; a key is a file name, or "cdn" for the content of any large file
    requests : (method, path, Range header) of every request, in order
    """

    files: dict = field(default_factory=lambda: defaultdict(dict))
    faults: dict = field(default_factory=lambda: defaultdict(list))
    requests: list = field(default_factory=list)
    plain: dict = field(default_factory=dict)
    address: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Hub":
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def gets(self, part: str) -> int:
        """How many GET requests had ``part`` in their path."""
        return sum(method == "GET" and part in path for method, path, _ in self.requests)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlparse(self.path).path)
        self.hub.requests.append((self.command, path, self.headers.get("Range")))
        parts = path.strip("/").split("/")
        if parts[0] == "cdn":
            self._cdn(parts[1], body)
        elif path.strip("/") in self.hub.plain:
            self._send(200, self.hub.plain[path.strip("/")], {}, body)
        elif parts[0] == "api":
            self._api("/".join(parts[2:4]), parts[4:], body)
        elif len(parts) >= 5 and parts[2] == "resolve":
            self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]), body)
        else:
            self._error(404, "RepoNotFound", body)

    def _resolve(self, repository: str, revision: str, name: str, body: bool) -> None:
        fault = self._fault(name)
        if isinstance(fault, tuple):
            self._error(*fault, body)
            return
        if repository not in self.hub.files:
            self._error(401, "RepoNotFound", body)
            return
        commit = COMMIT
        if revision not in ("main", COMMIT):
            repository = f"{repository}@{revision}"
            commit = hashlib.sha1(repository.encode()).hexdigest()
        if repository not in self.hub.files:
            self._error(404, "RevisionNotFound", body)
            return
        content = self.hub.files[repository].get(name)
        if content is None:
            self._error(404, "EntryNotFound", body)
            return
        if name.endswith(LFS_ENDINGS):
            sha256 = hashlib.sha256(content).hexdigest()
            headers = {
                # Another host's name, as the hub's storage has: the client must not follow it in a HEAD.
                "Location": f"{self.hub.address.replace('127.0.0.1', 'localhost')}/cdn/{sha256}",
                "X-Repo-Commit": commit,
                "X-Linked-Etag": f'"{sha256}"',
                "X-Linked-Size": str(len(content)),
            }
            self._send(302, b"", headers, body)
        else:
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            self._send(200, content, {"ETag": f'"{git}"', "X-Repo-Commit": commit}, body)

    def _api(self, repository: str, rest: list[str], body: bool) -> None:
        files = self.hub.files.get(repository)
        if files is None:
            self._error(401, "RepoNotFound", body)
            return
        tree = [{"type": "file", "path": n, "size": len(c), "oid": COMMIT} for n, c in files.items()]
        info = {
            "id": repository,
            "modelId": repository,
            "sha": COMMIT,
            "siblings": [{"rfilename": n} for n in files],
        }
        content = json.dumps(tree if rest[:1] == ["tree"] else info).encode()
        self._send(200, content, {"Content-Type": "application/json"}, body)

    def _cdn(self, sha256: str, body: bool) -> None:
        every = {
            hashlib.sha256(c).hexdigest(): c for files in self.hub.files.values() for c in files.values()
        }
        content = every[sha256]
        fault = self._fault("cdn") if body else None
        if isinstance(fault, tuple):
            self._error(*fault, body)
            return
        if fault == "wrong":
            content = content[:-1] + bytes([content[-1] ^ 1])
        start, status, headers = 0, 200, {"Accept-Ranges": "bytes", "ETag": f'"{sha256}"'}
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(status, content[start:], headers, body, fault=fault)

    def _send(self, status: int, content: bytes, headers: dict, body: bool, *, fault=None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not body:
            return
        if fault == "reset":
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            # Closing with unsent data pending and no linger sends RST, as a broken router would.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif fault == "stall":
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.hub.over.wait(PATIENCE)
            self.close_connection = True
        elif fault == "drip":
            step = max(1, len(content) // 20)
            for place in range(0, len(content), step):
                self.wfile.write(content[place : place + step])
                self.wfile.flush()
                time.sleep(0.02)
        else:
            self.wfile.write(content)

    def _error(self, status: int, code: str, body: bool) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": code} if code else {}
        if code == "EntryNotFound":
            headers["X-Repo-Commit"] = COMMIT
        self._send(status, b"", headers, body)

    def _fault(self, key: str):
        waiting = self.hub.faults[key]
        return waiting.pop(0) if waiting else None
