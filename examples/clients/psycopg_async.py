"""psycopg 3 with asyncio: several searches at once, each on a connection of its own, and a streamed answer."""

import asyncio

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

HITS = """
    SELECT p.name, p.price, p.category
    FROM socle.search('manual', %(query)s, filter => %(filter)s, result_limit => %(limit)s) AS s
    JOIN product AS p ON p.id = (s.source_key ->> 'id')::bigint
    ORDER BY s.score DESC"""

EMBED = "SELECT v::real[] AS vector FROM unnest(socle.embed(%s::text[])) WITH ORDINALITY AS u (v, n) ORDER BY n"

# In the target list, where each row is sent before the next one is made; in FROM, all would be made first.
ANSWER = """
    SELECT (a).number, (a).sentence, (a).declined
    FROM (SELECT socle.answer_stream('manual', %s, max_sentences => 2) AS a) AS answer"""


async def connect():
    return await psycopg.AsyncConnection.connect(prepare_threshold=None, row_factory=namedtuple_row)


async def hits(query, filter=None, limit=3):
    async with await connect() as connection:
        parameters = {"query": query, "filter": filter and Jsonb(filter), "limit": limit}
        return await (await connection.execute(HITS, parameters)).fetchall()


async def main() -> None:
    entered = {"category": ["lamp", "fan"], "price": 50}
    plain, found, hostile, joined = await asyncio.gather(
        hits("How do I get rid of limescale in the kettle?"),
        hits("Lampe", {"category": entered["category"], "price": {"<=": entered["price"]}}),
        hits("lamp", {"category": "lamp'; DROP TABLE product; --"}),
        hits("grind beans", limit=1),
    )
    print("search:", plain[0].name)
    print("filter:", ", ".join(sorted(row.name for row in found)))
    print("hostile filter:", len(hostile), "hits")

    async with await connect() as connection, connection.cursor() as cursor:
        # A list with its type: without ::text[], PostgreSQL would take it for one text.
        await cursor.execute(EMBED, [["five years", "cinq ans"]])
        vectors = await cursor.fetchall()
        print("list:", len(vectors), "vectors of", len(vectors[0].vector), "numbers")
        print(f"join: {joined[0].name}, {joined[0].category}, {joined[0].price}")

        async for row in cursor.stream(ANSWER, ["How long is the warranty of the refrigerator?"]):
            if row.sentence:
                print(f"answer {row.number}: {row.sentence}", flush=True)
            else:
                print("answer declined:", str(row.declined).lower())


if __name__ == "__main__":
    asyncio.run(main())
