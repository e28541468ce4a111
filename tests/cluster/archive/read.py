"""The rows of an export, as pandas, pyarrow and DuckDB read them: JSON with vectors as their bits.

usage: read.py DIRECTORY >rows.json
"""

import json
import pathlib
import struct
import sys

import duckdb
import pandas
import pyarrow.parquet

directory = pathlib.Path(sys.argv[1])
files = sorted(str(path) for path in directory.glob("chunks-*.parquet"))
assert len(files) > 1, files


def row(record):
    missing = record["page"] is None or record["page"] != record["page"]
    return {
        **{name: record[name] for name in ("source_site", "content")},
        **{
            name: int(record[name])
            for name in ("source_number", "ordinal", "start_offset", "end_offset", "token_count")
        },
        "heading_path": list(record["heading_path"]),
        "page": None if missing else int(record["page"]),
        "content_hash": record["content_hash"].hex(),
        "embedding": b"".join(struct.pack(">f", number) for number in record["embedding"]).hex(),
    }


def rows(records):
    made = [row(record) for record in records]
    return sorted(made, key=lambda one: (one["source_site"].encode(), one["source_number"]))


frame = pandas.concat(pandas.read_parquet(file) for file in files)
table = pyarrow.parquet.ParquetDataset(files).read()
pattern = str(directory / "chunks-*.parquet")
relation = duckdb.sql(f"SELECT * FROM read_parquet('{pattern}')")
names = relation.columns
nearest = duckdb.sql(
    f"""
    WITH chunk AS (SELECT *, embedding::FLOAT[384] AS vector FROM read_parquet('{pattern}'))
    SELECT other.content FROM chunk, chunk AS other WHERE chunk.source_number = 2 AND chunk.source_site = 'عربي'
    ORDER BY array_cosine_distance(chunk.vector, other.vector) LIMIT 1
    """
).fetchall()[0][0]
set_file = str(directory / "evaluation-00001.parquet")
frame_of_set = pandas.read_parquet(set_file).astype(object)
questions = [
    frame_of_set.where(frame_of_set.notna(), None).values.tolist(),
    [list(one.values()) for one in pyarrow.parquet.read_table(set_file).to_pylist()],
    [list(one) for one in duckdb.sql(f"SELECT * FROM read_parquet('{set_file}')").fetchall()],
]
result = {
    "questions": questions,
    "pandas": rows(frame.to_dict("records")),
    "pyarrow": rows(table.to_pylist()),
    "duckdb": rows(dict(zip(names, values)) for values in relation.fetchall()),
    "nearest": nearest,
}
json.dump(result, sys.stdout)
