"""The clients against a server with the corpus of examples/clients/setup.sql, which PGHOST and the like name."""

import asyncio
import unittest
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from socle_client import Answer, AnswerOptions, AsyncClient, Citation, Client, ContextOptions, SearchOptions, StreamedSentence, StreamEnd
from socle_client.options import TYPE_OF

WARRANTY = "How long is the warranty of the refrigerator?"
ARGUMENTS = """
    SELECT a.name, format_type(a.type, NULL)
    FROM pg_proc AS p, unnest(p.proargnames[3:p.pronargs], (p.proargtypes::oid[])[2:p.pronargs]) AS a (name, type)
    WHERE p.pronamespace::regnamespace || '.' || p.proname = %s AND p.proargnames[1] = 'corpus'"""
YEARS = "The warranty of the refrigerator is five years."


class ClientTest(unittest.TestCase):
    def setUp(self) -> None:
        self.connection = psycopg.connect()
        self.addCleanup(self.connection.close)
        self.client = Client(self.connection, "manual")

    def test_a_hit_has_the_columns_of_the_search(self) -> None:
        hit = self.client.search(WARRANTY, result_limit=1)[0]
        self.assertEqual((hit.title, hit.source_key, hit.corpus_name, hit.stale), ("Frost", {"id": 8}, "manual", False))
        self.assertIn("<mark>warranty</mark>", hit.highlighted or "")

    def test_options_of_every_type_reach_the_function(self) -> None:
        hits = self.client.search(
            "warranty",
            mode="keyword",
            filter={"category": ["lamp", "kitchen"], "price": {"<": 300}},
            marks=("[", "]"),
            fields=["content"],
            title_weight=2,
            count_total=True,
            boost=[{"column": "price", "function": "logarithm", "weight": 0.1}],
        )
        self.assertEqual([hit.title for hit in hits], ["Frost"])
        self.assertEqual(hits[0].total_count, 1)
        self.assertIn("[warranty]", hits[0].highlighted or "")

    def test_a_filter_is_never_sql(self) -> None:
        self.assertEqual(self.client.search("lamp", filter={"category": "'); DROP TABLE product; --"}), [])
        with self.assertRaises(psycopg.errors.UndefinedColumn):
            self.client.search("lamp", filter={'category" OR true --': 1})

    def test_an_unknown_option_is_an_error_before_anything_is_sent(self) -> None:
        options: dict[str, Any] = {"limit); DROP TABLE product; --": 1}
        with self.assertRaisesRegex(TypeError, "unknown option"):
            self.client.search("lamp", **options)

    def test_options_are_the_arguments_of_the_functions(self) -> None:
        for function, options in {
            "search": SearchOptions,
            "context": ContextOptions,
            "context_passages": ContextOptions,
            "answer": AnswerOptions,
            "answer_stream": AnswerOptions,
        }.items():
            arguments = self.connection.execute(ARGUMENTS, [f"socle.{function}"]).fetchall()
            known = {(name, TYPE_OF.get(name, "text")) for name in options.__annotations__}
            self.assertEqual(set(arguments), known, function)

    def test_several_corpora_are_searched_together(self) -> None:
        self.assertEqual(Client(self.connection, ["manual"]).search(WARRANTY)[0].title, "Frost")

    def test_passages_make_a_context(self) -> None:
        passage = self.client.context_passages(WARRANTY, max_tokens=200)[0]
        self.assertIn(YEARS, passage.content)
        context = self.client.context(WARRANTY, max_tokens=200)
        self.assertIn(YEARS, context or "")

    def test_an_answer_cites_what_is_found_again(self) -> None:
        answer = self.client.answer(WARRANTY, max_sentences=1)
        self.assertFalse(answer.declined)
        citation = answer.citations[0]
        self.assertEqual((citation.quote, citation.source_key), (YEARS, {"id": 8}))
        for form in (citation, citation.as_json(), Citation.from_json(citation.as_json() | {"later": 1})):
            cited = self.client.cite(form)
            self.assertEqual((cited.state, cited.content), ("valid", YEARS))

    def test_an_answer_that_is_declined_says_why(self) -> None:
        answer: Answer = self.client.answer("Who painted the Mona Lisa?")
        self.assertTrue(answer.declined and answer.reason)
        self.assertEqual((answer.answer, answer.citations), (None, []))

    def test_a_stream_has_sentences_and_an_end(self) -> None:
        *sentences, end = self.client.answer_stream(WARRANTY, max_sentences=2)
        self.assertIsInstance(end, StreamEnd)
        self.assertEqual([row.number for row in sentences if isinstance(row, StreamedSentence)], [1, 2])
        self.assertIsInstance(sentences[0].citation, Citation)

    def test_a_stream_that_is_left_early_leaves_the_connection_usable(self) -> None:
        stream = self.client.answer_stream(WARRANTY)
        next(stream)
        stream.close()
        # If the rest was still being made, it was cancelled, and the transaction with it.
        self.connection.rollback()
        self.assertEqual(len(self.client.embed_query("five years")), 512)

    def test_lists_of_texts_become_as_many_vectors(self) -> None:
        vectors = self.client.embed(["five years", "cinq ans", "{a,b}"])
        self.assertEqual([len(vector) for vector in vectors], [512] * 3)
        self.assertEqual(self.client.embed([]), [])

    def test_a_pool_lends_a_connection_for_each_call(self) -> None:
        with ConnectionPool(min_size=1, max_size=1, open=True) as pool:
            client = Client(pool, "manual")
            for _ in range(2):
                self.assertEqual(client.search(WARRANTY)[0].title, "Frost")
            self.assertEqual(len(list(client.answer_stream(WARRANTY, max_sentences=1))), 2)
            with pool.connection() as connection:
                prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
            self.assertEqual(prepared, (0,))


class AsyncClientTest(unittest.IsolatedAsyncioTestCase):
    async def test_calls_run_beside_each_other(self) -> None:
        async with AsyncConnectionPool(min_size=2, max_size=2, open=False) as pool:
            client = AsyncClient(pool, "manual")
            hits, answer, context, passages, vectors, vector = await asyncio.gather(
                client.search(WARRANTY),
                client.answer(WARRANTY),
                client.context(WARRANTY),
                client.context_passages(WARRANTY),
                client.embed(["a", "b"]),
                client.embed_query("a"),
            )
            self.assertEqual((hits[0].title, answer.declined, passages[0].title), ("Frost", False, "Frost"))
            self.assertIn(YEARS, context or "")
            self.assertEqual((len(vectors), len(vector)), (2, 512))
            self.assertEqual((await client.cite(answer.citations[0])).state, "valid")

    async def test_a_stream_has_sentences_and_an_end(self) -> None:
        async with await psycopg.AsyncConnection.connect() as connection:
            stream: AsyncIterator[StreamedSentence | StreamEnd] = AsyncClient(connection, "manual").answer_stream(WARRANTY)
            rows = [row async for row in stream]
            self.assertIsInstance(rows[-1], StreamEnd)
            self.assertTrue(all(isinstance(row, StreamedSentence) for row in rows[:-1]))


if __name__ == "__main__":
    unittest.main()
