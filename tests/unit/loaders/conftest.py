import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def save(tmp_path):
    """Writes columns to a Parquet file; returns its path."""

    def save(columns, name="flows.parquet", **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path, **options)
        return str(path)

    return save
