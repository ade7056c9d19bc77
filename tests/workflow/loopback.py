"""A web server on loopback that serves a folder, as plain files and as a hub of models does."""

import hashlib
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "0" * 40
HUB = "/resolve/main/"


class Loopback:
    """Serves a folder while it is open; a context.

    Args:
        root: the folder; ``/me/model/resolve/main/file`` is its file ``me/model/file``.

    Attributes:
        url: of the folder.
        sent: how often each file was sent whole, by its path.
    """

    def __init__(self, root: Path):
        self.root, self.sent = root, Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Loopback":
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, site: Loopback, *arguments: object):
        self.site = site
        super().__init__(*arguments, directory=str(site.root))

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.replace(HUB, "/"))

    def do_GET(self) -> None:
        if Path(self.translate_path(self.path)).is_file():
            self.site.sent[self.path.replace(HUB, "/").lstrip("/")] += 1
        super().do_GET()

    def end_headers(self) -> None:
        file = Path(self.translate_path(self.path))
        if HUB in self.path and file.is_file():
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(file.read_bytes()).hexdigest()}"')
        elif HUB in self.path:
            self.send_header("X-Error-Code", "EntryNotFound")
        super().end_headers()

    def log_message(self, *arguments: object) -> None:
        pass
