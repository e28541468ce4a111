"""One page that asks questions of socle: passages with their scores, answers with footnotes, what is fresh, files to add.

    PGHOST=… PGDATABASE=… PGUSER=web_app uvicorn app:app

There is no login: a visitor chooses a tenant, because this is an example. In an application of your own, tenant_of is the
place to read it from a session that you have checked.
"""

import json
import re
import secrets
import time
import unicodedata
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Annotated

import psycopg
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from database import Database, Unavailable, UnknownTenant, visible_error
from dataset import DATASETS

STATIC = Path(__file__).parent / "static"
MAX_FILE_BYTES = 10_000_000
# Letters shown before and after a passage of a source.
CONTEXT_LETTERS = 20_000
# What socle puts around the words of the query. No document can have it, since nobody knows it.
MARK = secrets.token_hex(8)

# No script, style or address from anywhere else, and no script within the page: a text that is shown cannot run.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

SEARCH = """
    SELECT source_key, title, heading_path, page, snippet, start_offset, end_offset, score, vector_rank, vector_score,
           keyword_rank, keyword_score, rerank_score, fresh_at, stale
    FROM socle.search(%(corpus)s, %(question)s, result_limit => 5, group_by_document => true, group_size => 2,
                      rerank_model => %(rerank_model)s, marks => ARRAY[%(mark)s, %(mark)s])
    -- The nearest passages may still be far away: with this model and these texts, unrelated ones are below (seen, not measured).
    WHERE keyword_score IS NOT NULL OR vector_score > 0.1"""

# In the target list, each row is sent before the next one is waited for.
ANSWER = """
    SELECT (a).number, (a).sentence, (a).citation, (a).declined, (a).reason, (a).grounded, (a).removed, (a).generator
    FROM (SELECT socle.answer_stream(%(corpus)s, %(question)s, %(generator)s, mode => %(mode)s, max_tokens => 120,
                                     context_tokens => 400, max_sentences => 2, rerank_model => 'reranker') AS a) AS answer"""

FILES = """
    SELECT f.id, f.file_name, f.tenant IS NULL AS shared, octet_length(f.data) AS byte_count, e.error_message AS failure,
           EXISTS (SELECT FROM web.documentation_chunk AS c WHERE c.source_id = f.id) AS searchable
    FROM web.file AS f LEFT JOIN web.file_failure() AS e USING (id)
    ORDER BY f.tenant IS NULL, f.file_name LIMIT 100"""

STORE = """
    INSERT INTO web.file (file_name, data) VALUES (%s, %s)
    ON CONFLICT (tenant, file_name) DO UPDATE SET data = excluded.data, media_type = NULL, uploaded_at = now()
    RETURNING id"""

database = Database()


@asynccontextmanager
async def lifespan(_):
    await database.open()
    yield
    await database.close()


app = FastAPI(title="socle web example", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
# Another host name that points here, as in DNS rebinding, is not answered. Add the names of your own server.
app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]"])
app.mount("/static", StaticFiles(directory=STATIC), name="static")


@app.middleware("http")
async def secure(request: Request, call_next):
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


@app.exception_handler(psycopg.Error)
@app.exception_handler(Unavailable)
@app.exception_handler(UnknownTenant)
async def failed(_, error):
    status, body = visible_error(error)
    return JSONResponse(body, status)


def tenant_of(request: Request) -> str:
    """The tenant of a request. A header of its own, so that no page of another site can send it without being asked."""
    tenant = request.headers.get("x-tenant", "")
    if not re.fullmatch(r"[a-z]{1,30}", tenant):
        raise HTTPException(403, "no tenant")
    return tenant


Tenant = Annotated[str, Depends(tenant_of)]


def dataset_named(name):
    if name not in DATASETS:
        raise HTTPException(404, "no such data set")
    return DATASETS[name]


class Question(BaseModel):
    """What is asked of a data set."""

    dataset: str
    question: str = Field(min_length=1, max_length=1000)
    rerank: bool = True
    generator: str | None = None


class Place(BaseModel):
    """A part of a document: where a passage stands, or a citation as answer_stream returned it."""

    dataset: str
    source_key: dict | None = None
    start_offset: int | None = None
    end_offset: int | None = None
    citation: dict | None = None


def marked(html, headings):
    """A snippet as plain texts of which every second one is marked: the page puts no HTML of others into itself.

    Headings of Markdown lose their signs; other lines that begin with such a sign, as in code, keep it.
    """

    def line(text):
        heading = re.sub("^#{1,6} ", "", text)
        return heading if unescape(heading.replace(MARK, "")) in headings else text

    return [unescape(part) for part in "\n".join(map(line, (html or "").split("\n"))).split(MARK)]


@app.get("/")
async def page():
    return FileResponse(STATIC / "index.html")


@app.get("/api/start")
async def start():
    async with database.session("") as session:
        tenants = await session.rows("SELECT name, title FROM web.tenant ORDER BY title")
        corpora = await session.rows("SELECT name FROM socle.corpus")
        generators = await session.rows("SELECT name FROM socle.generator ORDER BY name")
    known = {row["name"] for row in corpora}
    shown = [d for d in DATASETS.values() if d.corpus in known]
    return {
        "tenants": tenants,
        "generators": [row["name"] for row in generators],
        "datasets": [
            {
                "name": d.name,
                "title": d.title,
                "description": d.description,
                "questions": d.questions,
                "takes_files": d.takes_files,
            }
            for d in shown
        ],
    }


@app.get("/api/state")
async def state(tenant: Tenant, dataset: str):
    chosen = dataset_named(dataset)
    async with database.session(tenant) as session:
        row = await session.row("SELECT * FROM web.freshness() WHERE corpus = %s", [chosen.corpus])
        files = await session.rows(FILES) if chosen.takes_files else []
    if row is None:
        raise HTTPException(404, "no such corpus")
    return row | {"files": files}


@app.post("/api/search")
async def search(tenant: Tenant, asked: Question):
    chosen = dataset_named(asked.dataset)
    begun = time.monotonic()
    async with database.session(tenant) as session:
        rows = await session.rows(
            SEARCH,
            {
                "corpus": chosen.corpus,
                "question": asked.question,
                "rerank_model": "reranker" if asked.rerank else None,
                "mark": MARK,
            },
        )
    for row in rows:
        row["snippet"] = marked(row["snippet"], row["heading_path"])
    return {"passages": rows, "notices": session.notices, "milliseconds": round((time.monotonic() - begun) * 1000)}


@app.post("/api/answer")
async def answer(tenant: Tenant, asked: Question):
    chosen = dataset_named(asked.dataset)
    parameters = {
        "corpus": chosen.corpus,
        "question": asked.question,
        "generator": asked.generator,
        "mode": "generated" if asked.generator else "extractive",
    }

    async def lines():
        # A visitor who leaves cancels this, which cancels the statement, which stops the model.
        try:
            async with database.session(tenant) as session:
                async for row in session.stream(ANSWER, parameters):
                    yield json.dumps(row) + "\n"
        except (psycopg.Error, Unavailable, UnknownTenant) as error:
            # The status was sent before the first line.
            yield json.dumps({"error": visible_error(error)[1]}) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


@app.post("/api/source")
async def source(tenant: Tenant, place: Place):
    """The text of a document with the place in it. Of a citation, the place where its words stand by now."""
    chosen = dataset_named(place.dataset)
    begin, end, key = place.start_offset, place.end_offset, place.source_key
    found = None
    async with database.session(tenant) as session:
        if place.citation is not None:
            found = await session.row("SELECT * FROM socle.cite(%s)", [json.dumps(place.citation)])
            begin, end, key = found["start_offset"], found["end_offset"], place.citation.get("source_key")
        document = await session.row(chosen.source_sql, {"key": json.dumps(key)})
    if document is None:
        raise HTTPException(404, "This document does not exist, or you may not see it.")
    text = document["text"] or ""
    # Offsets count characters from 1. JavaScript counts otherwise, so the text is cut here.
    begin, end = max((begin or 1) - 1, 0), max((end or 1) - 1, 0)
    return {
        "title": document["title"],
        "state": found and found["state"],
        "before": text[max(begin - CONTEXT_LETTERS, 0) : begin],
        "passage": text[begin:end],
        "after": text[end : end + CONTEXT_LETTERS],
        "cut": begin > CONTEXT_LETTERS or len(text) - end > CONTEXT_LETTERS,
    }


def safe_name(name):
    """A file name without directories and invisible letters. What else it has, such as markup, is only ever shown as text."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(letter for letter in name if unicodedata.category(letter)[0] != "C").strip()
    if not name or len(name) > 200:
        raise HTTPException(400, "a file needs a name of at most 200 letters")
    return name


@app.put("/api/file")
async def store(tenant: Tenant, request: Request, name: str):
    name, data = safe_name(name), bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_FILE_BYTES:
            raise HTTPException(413, f"a file may have at most {MAX_FILE_BYTES // 1_000_000} MB")
    if not data:
        raise HTTPException(400, "the file is empty")
    begun = time.monotonic()
    async with database.session(tenant) as session:
        key = (await session.row(STORE, [name, bytes(data)]))["id"]
    # Committed. Now it is read, chunked and embedded, which usually takes a fraction of a second.
    async with database.session(tenant) as session:
        await session.row("SELECT socle.wait_for_corpus('documentation', '5 seconds')")
    async with database.session(tenant) as session:
        stored = [row for row in await session.rows(FILES) if row["id"] == key]
    return (stored[0] if stored else {}) | {"file_name": name, "milliseconds": round((time.monotonic() - begun) * 1000)}
