"""Captures under pseudonyms: each column in its own way, each distinct value once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq

from simcore.errors import Diagnostic, Place, Severity
from simcore.model.addresses import Address, Family
from simcore.model.schema import FLOW_SCHEMA, WIDE_ADDRESS

from ..captures.writer import TOLD_BY, FlowWriter
from .headers import hidden_headers
from .patterns import written_text
from .pseudonyms import Pseudonyms
from .shapes import Scribe, label_value

Rewrite = Callable[[str, Scribe], str]
"""Takes one text of a column, and returns what is to stand there."""
ADDRESSES = ("source_address", "destination_address")
_BATCH_ROWS = 131_072
_BEFORE_NAME = ("identity:", "health:", "ingress:", "external:", "node:")
_PUBLIC_NAMES = ("public", "private")
"""What networks outside are called whose addresses are not told."""
_POLICY = re.compile(r"(?P<kind>\S+) (?:(?P<namespace>[^\s/]+)/)?(?P<name>[^\s,]+)")


def anonymize_capture(source: str, output: str, names: Pseudonyms) -> tuple[Diagnostic, ...]:
    """Write a capture in Parquet, in the columns of FLOW_SCHEMA, under pseudonyms.

    Returns
    -------
    tuple of Diagnostic
        Warnings: what was kept as it is.
    """
    scribe = Scribe(names)
    file = pq.ParquetFile(source)
    wide = any(field.type == WIDE_ADDRESS for field in file.schema_arrow)
    told_by = (file.metadata.metadata or {}).get(TOLD_BY, b"").decode()
    with FlowWriter(output, wide=wide, group_rows=_group_rows(file), told_by=told_by) as writer:
        for batch in file.iter_batches(_BATCH_ROWS):
            writer.write(anonymous_flows(batch, scribe))
    names.save()
    return tuple(
        Diagnostic(Severity.WARNING, Place(output), f"{sort} are kept as they are: {len(texts):,} of them")
        for sort, texts in sorted(scribe.kept.items())
    )


def _group_rows(file: pq.ParquetFile) -> int:
    """Return how many rows a row group of a file has at most."""
    metadata = file.metadata
    return max((metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)), default=1)


def anonymous_flows(batch: pa.RecordBatch, scribe: Scribe) -> pa.RecordBatch:
    """Put pseudonyms into the columns of FLOW_SCHEMA that hold names or addresses; all others stay."""
    columns = [_column(field.name, column, scribe) for field, column in zip(batch.schema, batch.columns, strict=True)]
    return pa.record_batch(columns, names=batch.schema.names)


def _column(name: str, column: pa.Array, scribe: Scribe) -> pa.Array:
    if name in ADDRESSES:
        return _addresses(column, scribe.names)
    if name not in COLUMNS:
        return column
    found = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts = found.dictionary.to_pylist()
    if name.endswith("_policies"):
        scribe.names.learn("policies", {ref["name"] for text in texts if text for ref in _POLICY.finditer(text)})
    written = [text and COLUMNS[name](text, scribe) for text in texts]
    made = pa.DictionaryArray.from_arrays(found.indices, pa.array(written, pa.string()))
    return made.cast(FLOW_SCHEMA.field(name).type)


def _addresses(column: pa.Array, names: Pseudonyms) -> pa.Array:
    found = column.dictionary_encode()
    if column.type == WIDE_ADDRESS:
        made: list[bytes | int] = [_wide(packed, names) for packed in found.dictionary.to_pylist()]
    else:
        made = [names.addresses.value(Family.V4, value) for value in found.dictionary.to_pylist()]
    return pa.array(made, column.type).take(found.indices)


def _wide(packed: bytes, names: Pseudonyms) -> bytes:
    found = Address.from_bytes(packed)
    value = names.addresses.value(found.family, found.value)
    return (value | 0xFFFF << 32 if found.family is Family.V4 else value).to_bytes(16, "big")


def _end(text: str, scribe: Scribe) -> str:
    """Write a pod, ``namespace/name``, or what stands in its place."""
    for prefix in _BEFORE_NAME:
        if text.startswith(prefix):
            rest = text.removeprefix(prefix)
            return text if prefix == "identity:" or rest in _PUBLIC_NAMES else prefix + _path(rest, scribe)
    return _path(text, scribe)


def _path(text: str, scribe: Scribe) -> str:
    return "/".join(map(scribe.names.name, text.split("/")))


def _workload(text: str, scribe: Scribe) -> str:
    """Write ``namespace/Kind/name``; of what is in no namespace, ``Kind/name``."""
    *space, kind, own = text.split("/") if "/" in text else ("", text)
    parts = [*map(scribe.names.name, space), *([scribe.names.kind(kind)] if kind else []), scribe.names.name(own)]
    return "/".join(parts)


def _node(text: str, scribe: Scribe) -> str:
    """Write a node, before which its cluster may stand."""
    cluster, slash, own = text.rpartition("/")
    return f"{scribe.names.cluster(cluster)}{slash}{scribe.names.name(own)}"


def _labels(text: str, scribe: Scribe) -> str:
    return ",".join(_label(each, scribe) for each in text.split(","))


def _label(text: str, scribe: Scribe) -> str:
    key, sign, value = text.partition("=")
    return scribe.names.key(key) + sign + str(label_value(key, value, scribe))


def _policies(text: str, scribe: Scribe) -> str:
    """Write policies, ``Kind namespace/name`` each."""
    return ", ".join(_policy(each.strip(), scribe) for each in text.split(","))


def _policy(text: str, scribe: Scribe) -> str:
    found = _POLICY.fullmatch(text)
    if found is None:
        return scribe.names.name(text)
    space = f"{scribe.names.name(found['namespace'])}/" if found["namespace"] else ""
    return f"{found['kind']} {space}{scribe.names.policy(found['name'])}"


def _answers(text: str, scribe: Scribe) -> str:
    return ",".join(_address(each.strip(), scribe) for each in text.split(","))


def _address(text: str, scribe: Scribe) -> str:
    try:
        return scribe.names.addresses.address(text)
    except ValueError:
        return scribe.names.name(text)


def _request(sort: str) -> Rewrite:
    """Write a text that regular expressions of rules are held against, unless texts of this sort are shown."""

    def write(text: str, scribe: Scribe) -> str:
        if sort in scribe.names.shown:
            return scribe.keep(f"{sort} of HTTP", text)
        return written_text(text, scribe.names.web_word)

    return write


COLUMNS: Mapping[str, Rewrite] = MappingProxyType(
    {
        "source_pod": _end,
        "destination_pod": _end,
        "node": _node,
        "http_path": _request("paths"),
        "http_host": _request("hosts"),
        "http_headers": lambda text, scribe: hidden_headers(scribe.names, text),
        "dns_query": lambda text, scribe: scribe.names.joined(text),
        "dns_addresses": _answers,
        "tls_sni": lambda text, scribe: scribe.names.joined(text),
        "egress_policies": _policies,
        "ingress_policies": _policies,
        "source_workload": _workload,
        "destination_workload": _workload,
        "source_labels": _labels,
        "destination_labels": _labels,
    }
)
"""What becomes of the texts of each column; columns that are not here hold numbers, or words of fixed meaning."""
