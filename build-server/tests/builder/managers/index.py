"""A package index with one wheel that may be kept for ever, as those of PyPI may. Prints its port."""

import hashlib
import io
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

INFO = "greeting-1.0.dist-info"
FILES = {
    "greeting.py": "TEXT = 'hello from a wheel'\n",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
NAME = "greeting-1.0-py3-none-any.whl"


def wheel() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
        archive.writestr(f"{INFO}/RECORD", "".join(f"{name},,\n" for name in [*FILES, f"{INFO}/RECORD"]))
    return content.getvalue()


WHEEL = wheel()


class Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == f"/{NAME}":
            self.answer(WHEEL, "application/octet-stream", "public, max-age=31536000, immutable")
        else:
            link = f'<a href="/{NAME}#sha256={hashlib.sha256(WHEEL).hexdigest()}">{NAME}</a>'
            self.answer(f"<!doctype html>{link}".encode(), "text/html", "no-store")

    def answer(self, content: bytes, kind: str, caching: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", caching)
        self.end_headers()
        self.wfile.write(content)


server = HTTPServer(("127.0.0.1", 0), Index)
print("port", server.server_port, flush=True)
server.serve_forever()
