"""What the tests of captures have in common."""

from dataclasses import replace

import pyarrow as pa
import pytest

from loaders.captures import FORMATS, open_capture
from simcore.errors import LoadError
from simcore.model.addresses import Address, Family
from simcore.model.requests import write_headers
from simcore.model.schema import FLOW_SCHEMA

V4 = {"source_address": ["10.0.0.1", "10.0.0.2"], "destination_address": ["10.1.0.1", "10.1.0.2"]}


def number(text):
    return Address.parse(text).value


def wide(text):
    address = Address.parse(text)
    prefix = b"\0" * 10 + b"\xff\xff" if address.family is Family.V4 else b""
    return prefix + address.value.to_bytes(16 - len(prefix), "big")


def read(capture, columns=None, batch_rows=1000):
    """Everything in a capture, a list for each column."""
    names = [name for name in FLOW_SCHEMA.names if name in (columns or capture.columns)]
    found = {name: [] for name in names}
    for split in capture.splits:
        for batch in capture.read(split, names, batch_rows):
            for name in names:
                found[name] += batch[name].to_pylist()
    return found


def column(save, name, values, mapping=None):
    """One column of a flow, as read from a file that has it beside two addresses."""
    count = len(values)
    rest = {end: ["10.0.0.1"] * count for end in V4 if end != name}
    capture = open_capture([save({**rest, name: values})], mapping)
    (split,) = capture.splits
    (batch,) = capture.read(split, [name], 1000)
    return batch[name]


def format_of(sample):
    """The format of a sample, ``NAME.SUFFIX`` or ``NAME-VARIANT.SUFFIX``."""
    stem = sample.name.partition(".")[0]
    return max((name for name in FORMATS if f"{stem}-".startswith(f"{name}-")), key=len)


def errors(paths, mapping=None):
    with pytest.raises(LoadError) as caught:
        open_capture(paths, mapping)
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


REQUEST_COLUMNS = ("http_method", "http_path", "http_host", "http_headers", "dns_query", "tls_sni")


def recorded(flow):
    """The flow as far as a capture tells its request: nothing of Kafka."""
    if flow.request is None:
        return flow
    return replace(flow, request=replace(flow.request, kafka_api_key=None, kafka_topic=None))


def request_columns(flows):
    """The columns of a capture that tell the requests of flows."""
    columns = {}
    for name in REQUEST_COLUMNS:
        values = [flow.request and getattr(flow.request, name) for flow in flows]
        if name == "http_headers":
            values = [None if headers is None else write_headers(headers) for headers in values]
        columns[name] = pa.array(values, pa.string()).dictionary_encode()
    return columns
