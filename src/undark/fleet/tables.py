"""Small tables as Parquet, read and written without threads.

Arrow's own threads gain nothing on a thousand rows, and may still run as the process ends.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from undark.fleet.extra import package

__all__ = ["decoded", "encoded", "stream"]

_BATCH: Final = 4096


def encoded(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> bytes:
    """Rows as a Parquet file.

    Args:
        rows: Each a value by column.
        columns: The type of each column, as Arrow names it: ``string``, ``int64``, ...
    """
    arrow = package("pyarrow")
    schema = arrow.schema([(name, arrow.type_for_alias(kind)) for name, kind in columns.items()])
    target = io.BytesIO()
    table = arrow.Table.from_pylist(rows, schema)
    package("pyarrow.parquet").write_table(table, target, compression="zstd")
    return target.getvalue()


def decoded(data: bytes) -> list[dict[str, Any]]:
    """The rows of a Parquet file."""
    return [row for batch in _batches(io.BytesIO(data), None) for row in batch]


def stream(origin: Path | bytes, columns: frozenset[str]) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file one by one, of the columns named as far as they are there."""
    file = str(origin) if isinstance(origin, Path) else io.BytesIO(origin)
    for batch in _batches(file, columns):
        yield from batch


def _batches(origin: Any, columns: frozenset[str] | None) -> Iterator[list[dict[str, Any]]]:
    file = package("pyarrow.parquet").ParquetFile(origin, pre_buffer=False)
    names: list[str] = file.schema_arrow.names
    wanted = names if columns is None else [name for name in names if name in columns]
    for batch in file.iter_batches(batch_size=_BATCH, columns=wanted, use_threads=False):
        yield batch.to_pylist()
