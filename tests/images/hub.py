"""A server on loopback that serves a folder as a dataset repository of the Hugging Face Hub."""

import hashlib
import json
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

COMMIT = "a" * 40


class _Hub(BaseHTTPRequestHandler):
    def __init__(self, root: Path, repository: str, asked: list[str], *arguments):
        self.root, self.repository, self.asked = root, repository, asked
        super().__init__(*arguments)

    def do_GET(self):
        path = unquote(self.path.partition("?")[0])
        self.asked.append(path)
        api, files = f"/api/datasets/{self.repository}", f"/datasets/{self.repository}/resolve/"
        if path.startswith(files):
            file = self.root / path.removeprefix(files).partition("/")[2]
            content = file.read_bytes() if file.is_file() else b""
            found = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
            self.send(content, {"X-Repo-Commit": COMMIT, **(found if content else {"X-Error-Code": "EntryNotFound"})})
        elif path.startswith(f"{api}/tree/"):
            folder = self.root / path.removeprefix(f"{api}/tree/").partition("/")[2]
            self.send_json([self.entry(file) for file in sorted(folder.iterdir())])
        elif path == api or path.startswith(f"{api}/revision/"):
            names = [str(file.relative_to(self.root)) for file in self.root.rglob("*") if file.is_file()]
            siblings = [{"rfilename": name} for name in names]
            self.send_json({"id": self.repository, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False})
        else:
            self.send(b"", {})

    def do_HEAD(self):
        self.do_GET()

    def entry(self, path):
        kind = "directory" if path.is_dir() else "file"
        return {"type": kind, "path": str(path.relative_to(self.root)), "oid": COMMIT, "size": path.stat().st_size}

    def send_json(self, content):
        self.send(json.dumps(content).encode(), {"Content-Type": "application/json"})

    def send(self, content, headers):
        self.send_response(200 if content else 404)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@contextmanager
def served(root: Path, repository: str, monkeypatch):
    """Serve a folder as ``repository``, and let the libraries ask this server; yields the paths that were asked for."""
    import datasets
    from huggingface_hub import constants

    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Hub, root, repository, asked))
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", url)
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root.parent / "cache"))
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.partition("/{repo_id}")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{url}{''.join(template[1:])}")
    yield asked
    server.shutdown()
    server.server_close()
