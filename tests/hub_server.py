"""A Hugging Face Hub on loopback: repositories with commits, large files, private ones, and a broken network.

It answers the requests that ``huggingface_hub`` makes, as the library's source documents them.
"""

import base64
import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import unquote, urlsplit

import yaml

TOKEN = "hf_of_the_tests"
LICENSES = ("mit", "apache-2.0", "cc-by-4.0")
SMALL = 100_000  # bytes: larger files, and all that are not text, are large files
REPO = re.compile(r"/(?:api/)?(?P<type>models/|datasets/)?(?P<repo>[\w.-]+/[\w.-]+?)(?:\.git)?(?P<rest>/.*)?")


@dataclass
class Repository:
    """A repository: files by branch, and the files of each commit."""

    private: bool
    branches: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"main": {}})
    heads: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.commit("main", "initial commit", {".gitattributes": b"*.h5 filter=lfs\n"})

    def commit(self, branch: str, message: str, files: dict[str, bytes]) -> str:
        self.branches[branch] = {**self.branches[branch], **files}
        self.messages.append(message)
        number = hashlib.sha1(f"{len(self.messages)}{branch}".encode()).hexdigest()
        self.heads[branch], self.commits[number] = number, self.branches[branch]
        return number

    def resolve(self, revision: str) -> str | None:
        revision = self.heads.get(revision, revision)
        return revision if revision in self.commits else None

    @property
    def files(self) -> dict[str, bytes]:
        return self.branches["main"]


class FakeHub:
    """Runs while it is open; a context.

    Attributes:
        url: of the Hub.
        repositories: by type and name: ``("model", "me/letters")``.
        sent: how often each file was sent whole.
        refused: names of files that are not sent, as when the network breaks.
        headers: of all requests.
    """

    def __init__(self):
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.large: dict[str, bytes] = {}
        self.sent, self.refused, self.requests, self.lock = Counter(), set(), [], Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def add(self, repo: str, files: dict[str, bytes], kind: str = "model", private: bool = False) -> Repository:
        self.repositories[kind, repo] = Repository(private)
        self.repositories[kind, repo].commit("main", "by hand", files)
        return self.repositories[kind, repo]

    def add_folder(self, repo: str, folder: Path, kind: str = "model") -> Repository:
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return self.add(repo, {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}, kind)

    def __enter__(self) -> "FakeHub":
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer_all(b"")

    def do_GET(self) -> None:
        self.answer_all(b"")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length")
        self.answer_all(self.rfile.read(int(length)) if length else self.chunks())

    def do_PUT(self) -> None:
        self.do_POST()

    def chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer_all(self, body: bytes) -> None:
        url = unquote(urlsplit(self.path).path)
        with self.hub.lock:
            self.hub.requests.append((self.command, url))
            if url == "/api/repos/create":
                return self.create(json.loads(body))
            if url == "/api/validate-yaml":
                return self.validate(json.loads(body))
            if url.startswith("/lfs/"):
                self.hub.large[url.removeprefix("/lfs/")] = body
                return self.answer({})
            match = REPO.fullmatch(url)
            kind, rest = (match["type"] or "models/")[:-2], match["rest"] or ""
            found = self.hub.repositories.get((kind, match["repo"]))
            if found is None or (found.private and not self.known):
                return self.answer({"error": "Repository not found"}, 404 if self.known else 401, "RepoNotFound")
            return self.repository(found, match["repo"], kind, rest, body)

    @property
    def known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def answer(self, content, status=200, code="", **headers) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def create(self, wanted) -> None:
        if not self.known:
            return self.answer({"error": "Invalid credentials in Authorization header"}, 401)
        repo, kind = f"{wanted['organization']}/{wanted['name']}", wanted.get("type", "model")
        url = f"{self.hub.url}/{'datasets/' if kind == 'dataset' else ''}{repo}"
        if (kind, repo) in self.hub.repositories:
            return self.answer({"error": "You already created this repo", "url": url}, 409)
        if wanted["organization"] != "me":
            return self.answer({"error": "You don't have the rights to create a repo under this namespace"}, 403)
        private = wanted.get("visibility") == "private" or wanted.get("private", False)
        self.hub.repositories[kind, repo] = Repository(private)
        return self.answer({"url": url})

    def validate(self, wanted) -> None:
        errors = card_faults(wanted["content"])
        self.answer({"errors": [{"message": text} for text in errors], "warnings": []}, 400 if errors else 200)

    def repository(self, found: Repository, repo: str, kind: str, rest: str, body: bytes) -> None:
        action, _, further = rest.strip("/").partition("/")
        if action == "preupload":
            files = json.loads(body)["files"]
            return self.answer({"files": [self.mode(found.branches[further], one) for one in files]})
        if action == "info":  # info/lfs/objects/batch
            return self.answer({"transfer": "basic", "objects": [*map(self.upload, json.loads(body)["objects"])]})
        if action in ("commit", "branch") and not self.known:
            return self.answer({"error": "Forbidden"}, 403)
        if action == "branch":
            if further in found.branches:
                return self.answer({"error": "Reference already exists"}, 409)
            found.branches[further], found.heads[further] = dict(found.files), found.heads["main"]
            return self.answer({})
        if action == "commit":
            return self.commit(found, repo, further, body)
        revision, _, name = further.partition("/")
        commit = found.resolve(revision or "main")
        if commit is None:
            return self.answer({"error": "Invalid rev id"}, 404, "RevisionNotFound")
        if action in ("", "revision"):
            about = {"_id": "0", "id": repo, "sha": commit, "private": found.private, "tags": [], "downloads": 0}
            return self.answer({**about, "siblings": [{"rfilename": name} for name in found.commits[commit]]})
        if action == "tree":
            return self.answer([listed(name, data) for name, data in found.commits[commit].items()])
        assert action == "resolve", self.path
        return self.file(found.commits[commit], commit, name)

    def file(self, files: dict[str, bytes], commit: str, name: str) -> None:
        if name not in files:
            return self.answer({}, 404, "EntryNotFound", X_Repo_Commit=commit)
        if name in self.hub.refused:
            return self.answer({"error": "the network breaks here"}, 403)
        data, start = files[name], 0
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            start = int(match[1])
        elif self.command == "GET":
            self.hub.sent[name] += 1
        etag = f'"{listed(name, data).get("lfs", {}).get("oid") or blob(data)}"'
        return self.answer(data[start:], 206 if match else 200, ETag=etag, X_Repo_Commit=commit)

    def mode(self, files: dict[str, bytes], one: dict) -> dict:
        large = is_large(base64.b64decode(one["sample"]), one["size"])
        old = files.get(one["path"])
        about = listed(one["path"], old) if old is not None else {}
        oid = about.get("lfs", {}).get("oid") if large else about.get("oid")
        return {"path": one["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}

    def upload(self, wanted: dict) -> dict:
        if wanted["oid"] in self.hub.large:
            return wanted
        return {**wanted, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{wanted['oid']}"}}}

    def commit(self, found: Repository, repo: str, branch: str, body: bytes) -> None:
        header, *lines = map(json.loads, body.splitlines())
        files = {}
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            else:
                assert line["key"] == "lfsFile", "nothing may be deleted"
                files[value["path"]] = self.hub.large[value["oid"]]
                assert hashlib.sha256(files[value["path"]]).hexdigest() == value["oid"]
        number = found.commit(branch, header["value"]["summary"], files)
        self.answer({"commitUrl": f"{self.hub.url}/{repo}/commit/{number}", "commitOid": number})


def is_large(sample: bytes, size: int) -> bool:
    return size > SMALL or b"\0" in sample


def blob(data: bytes) -> str:
    """The identifier that git gives a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def listed(name: str, data: bytes) -> dict:
    """A file in a listing of a repository."""
    about = {"type": "file", "path": name, "size": len(data), "oid": blob(data)}
    if is_large(data[:512], len(data)):
        about["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return about


def card_faults(text: str) -> list[str]:
    """What the Hub refuses in the metadata of a card."""
    match = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    metadata = yaml.safe_load(match[1]) if match else None
    if not isinstance(metadata, dict):
        return ["there is no metadata"]
    faults = []
    if metadata.get("license", "mit") not in LICENSES:
        faults.append(f'"license" must be one of {", ".join(LICENSES)}')
    for model in metadata.get("model-index", []):
        for result in model["results"]:
            if not (result["task"]["type"] and result["dataset"]["type"] and result["dataset"]["name"]):
                faults.append("a result has no task or dataset")
            if not all(metric["type"] and isinstance(metric["value"], int | float) for metric in result["metrics"]):
                faults.append("a metric has no number")
    return faults
