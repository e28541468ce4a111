"""The clients: one for psycopg's connections and pools, one for their asynchronous forms.

Nothing is prepared on the server and no setting is changed, so that both work through a pooler in transaction mode.
With a connection, transactions are the caller's; with a pool, each call takes a connection and a transaction of its own.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol, TypeVar, Unpack

from psycopg import AsyncConnection, AsyncCursor, Connection, Cursor
from psycopg.rows import AsyncRowFactory, RowFactory, class_row, kwargs_row, scalar_row

from . import statements
from .options import AnswerOptions, ContextOptions, SearchOptions
from .rows import Answer, Citation, CitedText, Hit, Passage, StreamEnd, StreamedSentence, answer_of, streamed_of
from .statements import Corpora, Statement

Row = TypeVar("Row")


class Pool(Protocol):
    """What a client needs of a pool; ``psycopg_pool.ConnectionPool`` has it."""

    def connection(self) -> AbstractContextManager[Connection[Any]]:
        """Lends a connection."""


class AsyncPool(Protocol):
    """What an asynchronous client needs of a pool; ``psycopg_pool.AsyncConnectionPool`` has it."""

    def connection(self) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
        """Lends a connection."""


class Client:
    """Asks one corpus, or several together, through a connection or a pool of psycopg."""

    def __init__(self, source: Connection[Any] | Pool, corpora: Corpora) -> None:
        """``corpora`` is the name of a corpus, or a list of names."""
        self._source = source
        self._corpora = corpora

    def search(self, query: str, **options: Unpack[SearchOptions]) -> list[Hit]:
        """The best passages for a query, best first."""
        return self._rows(class_row(Hit), statements.search(self._corpora, query, options))

    def context(self, question: str, **options: Unpack[ContextOptions]) -> str | None:
        """The best passages as one text for a prompt; None if there is nothing."""
        rows: list[str | None] = self._rows(scalar_row, statements.context(self._corpora, question, options))
        return rows[0]

    def context_passages(self, question: str, **options: Unpack[ContextOptions]) -> list[Passage]:
        """The best passages for a prompt."""
        return self._rows(class_row(Passage), statements.context_passages(self._corpora, question, options))

    def answer(self, question: str, **options: Unpack[AnswerOptions]) -> Answer:
        """An answer with its citations, or the reason why there is none."""
        return self._rows(kwargs_row(answer_of), statements.answer(self._corpora, question, options))[0]

    def answer_stream(
        self, question: str, **options: Unpack[AnswerOptions]
    ) -> Iterator[StreamedSentence | StreamEnd]:
        """Each sentence as soon as it is checked, then the end.

        Closing the iterator early cancels the statement; a transaction of your own has to be rolled back then.
        """
        statement = statements.answer_stream(self._corpora, question, options)
        with self._cursor(kwargs_row(streamed_of)) as cursor:
            yield from cursor.stream(statement.text, statement.parameters)

    def cite(self, citation: Citation | Mapping[str, Any]) -> CitedText:
        """What stands now where a sentence was taken from."""
        return self._rows(class_row(CitedText), statements.cite(citation))[0]

    def embed(self, texts: Sequence[str], model: str | None = None) -> list[list[float]]:
        """The vectors of texts, by a model of the server."""
        return self._rows(scalar_row, statements.embed(texts, model))

    def embed_query(self, query: str, model: str | None = None) -> list[float]:
        """The vector of a search query."""
        rows: list[list[float]] = self._rows(scalar_row, statements.embed_query(query, model))
        return rows[0]

    @contextmanager
    def _cursor(self, row: RowFactory[Row]) -> Iterator[Cursor[Row]]:
        if isinstance(self._source, Connection):
            with self._source.cursor(row_factory=row) as cursor:
                yield cursor
        else:
            with self._source.connection() as connection, connection.cursor(row_factory=row) as cursor:
                yield cursor

    def _rows(self, row: RowFactory[Row], statement: Statement) -> list[Row]:
        with self._cursor(row) as cursor:
            return cursor.execute(statement.text, statement.parameters, prepare=False).fetchall()


class AsyncClient:
    """The same for asynchronous connections and pools."""

    def __init__(self, source: AsyncConnection[Any] | AsyncPool, corpora: Corpora) -> None:
        """``corpora`` is the name of a corpus, or a list of names."""
        self._source = source
        self._corpora = corpora

    async def search(self, query: str, **options: Unpack[SearchOptions]) -> list[Hit]:
        """The best passages for a query, best first."""
        return await self._rows(class_row(Hit), statements.search(self._corpora, query, options))

    async def context(self, question: str, **options: Unpack[ContextOptions]) -> str | None:
        """The best passages as one text for a prompt; None if there is nothing."""
        rows: list[str | None] = await self._rows(scalar_row, statements.context(self._corpora, question, options))
        return rows[0]

    async def context_passages(self, question: str, **options: Unpack[ContextOptions]) -> list[Passage]:
        """The best passages for a prompt."""
        return await self._rows(class_row(Passage), statements.context_passages(self._corpora, question, options))

    async def answer(self, question: str, **options: Unpack[AnswerOptions]) -> Answer:
        """An answer with its citations, or the reason why there is none."""
        return (await self._rows(kwargs_row(answer_of), statements.answer(self._corpora, question, options)))[0]

    async def answer_stream(
        self, question: str, **options: Unpack[AnswerOptions]
    ) -> AsyncIterator[StreamedSentence | StreamEnd]:
        """Each sentence as soon as it is checked, then the end; closing it early is as in ``Client``."""
        statement = statements.answer_stream(self._corpora, question, options)
        async with self._cursor(kwargs_row(streamed_of)) as cursor:
            async for row in cursor.stream(statement.text, statement.parameters):
                yield row

    async def cite(self, citation: Citation | Mapping[str, Any]) -> CitedText:
        """What stands now where a sentence was taken from."""
        return (await self._rows(class_row(CitedText), statements.cite(citation)))[0]

    async def embed(self, texts: Sequence[str], model: str | None = None) -> list[list[float]]:
        """The vectors of texts, by a model of the server."""
        return await self._rows(scalar_row, statements.embed(texts, model))

    async def embed_query(self, query: str, model: str | None = None) -> list[float]:
        """The vector of a search query."""
        rows: list[list[float]] = await self._rows(scalar_row, statements.embed_query(query, model))
        return rows[0]

    @asynccontextmanager
    async def _cursor(self, row: AsyncRowFactory[Row]) -> AsyncIterator[AsyncCursor[Row]]:
        if isinstance(self._source, AsyncConnection):
            async with self._source.cursor(row_factory=row) as cursor:
                yield cursor
        else:
            async with self._source.connection() as connection, connection.cursor(row_factory=row) as cursor:
                yield cursor

    async def _rows(self, row: AsyncRowFactory[Row], statement: Statement) -> list[Row]:
        async with self._cursor(row) as cursor:
            await cursor.execute(statement.text, statement.parameters, prepare=False)
            return await cursor.fetchall()
