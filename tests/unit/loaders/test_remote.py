"""Captures in stores: a server that plays S3, and ``file://``."""

import gzip
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlparse
from xml.sax.saxutils import escape

import pytest

from loaders import open_capture
from loaders.captures.opening import convert_capture
from simcore.errors import LoadError
from tests.captures import V4, read


class Store(BaseHTTPRequestHandler):
    """Objects of one bucket: read whole or in part, and listed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = urlparse(self.path)
        bucket, _, key = unquote(path.path).lstrip("/").partition("/")
        if bucket == "bucket" and not key:
            self._list(parse_qs(path.query))
        elif (data := self.server.objects.get(key)) is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            self._give(data)

    do_HEAD = do_GET

    def _list(self, query):
        prefix = query.get("prefix", [""])[0]
        keys = sorted(key for key in self.server.objects if key.startswith(prefix))
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.server.objects[key])}</Size>"
            "<LastModified>2026-11-02T09:30:00.000Z</LastModified></Contents>"
            for key in keys
        )
        count = f"<KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>"
        self._answer(200, f"<ListBucketResult>{count}{entries}</ListBucketResult>".encode())

    def _give(self, data):
        part = self.headers.get("Range")
        if part is None:
            self._answer(200, data)
            return
        first, _, last = part.removeprefix("bytes=").partition("-")
        end = min(int(last) + 1, len(data)) if last else len(data)
        self._answer(206, data[int(first) : end], f"bytes {first}-{end - 1}/{len(data)}")

    def _answer(self, code, data, part=None):
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", "Mon, 02 Nov 2026 09:30:00 GMT")
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def store(monkeypatch):
    """Put objects into a bucket; get the URI of a key."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.objects = {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def put(key, data):
        server.objects[key] = data
        return uri(key)

    def uri(key):
        host = f"127.0.0.1:{server.server_port}"
        return f"s3://bucket/{key}?scheme=http&region=us-east-1&endpoint_override={host}"

    put.uri = uri
    yield put
    server.shutdown()
    server.server_close()
    thread.join()


def test_parquet_is_read_from_a_store(store, save, tmp_path):
    save(V4)
    uri = store("logs/a.parquet", (tmp_path / "flows.parquet").read_bytes())
    capture = open_capture([uri])
    assert capture.files == [uri]
    assert read(capture) == read(open_capture([str(tmp_path / "flows.parquet")]))


def test_a_folder_of_a_store_stands_for_its_captures(store, save, tmp_path):
    save(V4)
    data = (tmp_path / "flows.parquet").read_bytes()
    for key in ("logs/day=1/a.parquet", "logs/day=2/b", "logs/_tmp/c.parquet", "logs/.d.parquet"):
        store(key, data)
    store("logs/readme.txt", b"hello")
    capture = open_capture([store.uri("logs")])
    assert capture.files == [store.uri("logs/day=1/a.parquet"), store.uri("logs/day=2/b")]


def test_packed_text_is_converted_from_a_store(store, tmp_path):
    line = "2 123456789010 eni-0a1b2c3d4e5f67890 10.0.0.1 10.0.0.2 4000 80 6 1 40 1790000000 1790000001 ACCEPT OK\n"
    uri = store("logs/a.log.gz", gzip.compress(line.encode() * 3))
    assert convert_capture([uri], str(tmp_path / "out.parquet")).rows == 3


@pytest.mark.parametrize("key", ["gone", "gone/"])
def test_what_is_not_there_is_an_error(store, key):
    store("logs/a", b"")
    with pytest.raises(LoadError, match="there is no capture at this place"):
        open_capture([store.uri(key)])


def test_credentials_in_a_path_are_refused_and_not_repeated():
    with pytest.raises(LoadError, match="credentials do not belong in a path") as caught:
        open_capture(["s3://user:hidden@bucket/a"])
    assert "hidden" not in str(caught.value)


def test_a_file_uri(save, tmp_path):
    path = save(V4)
    assert read(open_capture([f"file://{os.path.abspath(path)}"])) == read(open_capture([path]))


def test_a_store_that_does_not_answer(store):
    with pytest.raises(LoadError, match=r"cannot be reached|cannot be read"):
        open_capture(["s3://bucket/a?scheme=http&region=us-east-1&endpoint_override=127.0.0.1:1&connect_timeout=1"])
