#!/usr/bin/env python3
"""Creates the tables, rights and corpora of the example and puts its data in, in the database that PGDATABASE names.

Runs as a superuser, because it creates the extension, a role, and registers models. Can run again: what is there stays.
"""

from pathlib import Path

import psycopg

from text_to_pdf import pdf_of

HERE = Path(__file__).parent
MODELS = {"multilingual": "use-multilingual-v3", "reranker": "ms-marco-minilm-l12-v2"}
GENERATORS = {"smol": "smollm2-135m-instruct/model.gguf"}


def documents():
    """Names and bytes of the files. A text whose name ends with .pdf.txt becomes a PDF."""
    for path in sorted((HERE / "data" / "documentation").iterdir()):
        if path.name.endswith(".pdf.txt"):
            yield path.name.removesuffix(".txt"), pdf_of(path.read_text(encoding="utf-8"))
        else:
            yield path.name, path.read_bytes()


def register(connection, kind, name, directory):
    """Registers a model unless there is one of that name. Returns the error if it is not installed."""
    known = connection.execute(f"SELECT FROM socle.{kind} WHERE name = %s", [name]).fetchone()
    if known is None:
        try:
            with connection.transaction():
                connection.execute(f"SELECT FROM socle.register_{kind}(%s, %s)", [name, directory])
        except psycopg.Error as error:
            return error
    return None


def main():
    with psycopg.connect(autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("CREATE EXTENSION IF NOT EXISTS socle CASCADE")
        for name, directory in MODELS.items():
            if error := register(connection, "model", name, directory):
                raise error
        for name, file in GENERATORS.items():
            if error := register(connection, "generator", name, file):
                print(f"without a generator: {error.diag.message_primary}")
        connection.execute((HERE / "schema.sql").read_text(encoding="utf-8"))
        connection.execute((HERE / "data" / "rows.sql").read_text(encoding="utf-8"))
        for name, data in documents():
            connection.execute(
                "INSERT INTO web.file (tenant, file_name, data) VALUES (NULL, %s, %s) ON CONFLICT DO NOTHING", [name, data]
            )
        for corpus in ("knowledge", "support", "documentation"):
            connection.execute("CALL socle.sync_corpus(%s)", [corpus])
        rows = connection.execute(
            "SELECT name, document_count, chunk_count FROM socle.corpus_status ORDER BY name"
        ).fetchall()
        for name, document_count, chunk_count in rows:
            print(f"{name}: {document_count} documents, {chunk_count} chunks")


if __name__ == "__main__":
    main()
