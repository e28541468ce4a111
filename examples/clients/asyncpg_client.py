"""asyncpg: search, filters, lists, a join and a streamed answer. The connection is that of PGHOST, PGDATABASE, …"""

import asyncio
import json

import asyncpg

HITS = """
    SELECT p.name, p.price, p.category
    FROM socle.search('manual', $1::text, filter => $2, result_limit => $3) AS s
    JOIN product AS p ON p.id = (s.source_key ->> 'id')::bigint
    ORDER BY s.score DESC"""

# In the target list, where each row is sent before the next one is made.
ANSWER = """
    SELECT (a).number, (a).sentence, (a).declined
    FROM (SELECT socle.answer_stream('manual', $1::text, max_sentences => 2) AS a) AS answer"""


async def main() -> None:
    # statement_cache_size=0: statements prepared on the server would stay behind in a pooler.
    connection = await asyncpg.connect(statement_cache_size=0)
    # Objects of Python for jsonb, in both directions. pg_catalog's types need no query to be known.
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)

    async def hits(query, filter=None, limit=3):
        return await connection.fetch(HITS, query, filter, limit)

    print("search:", (await hits("How do I get rid of limescale in the kettle?"))[0]["name"])

    entered = {"category": ["lamp", "fan"], "price": 50}
    found = await hits("Lampe", {"category": entered["category"], "price": {"<=": entered["price"]}})
    print("filter:", ", ".join(sorted(row["name"] for row in found)))
    print("hostile filter:", len(await hits("lamp", {"category": "lamp'; DROP TABLE product; --"})), "hits")

    # A list with its type: without ::text[], asyncpg would be told to send one text.
    vectors = await connection.fetch(
        "SELECT v::real[] AS vector FROM unnest(socle.embed($1::text[])) WITH ORDINALITY AS u (v, n) ORDER BY n",
        ["five years", "cinq ans"],
    )
    print("list:", len(vectors), "vectors of", len(vectors[0]["vector"]), "numbers")

    (best,) = await hits("grind beans", limit=1)
    print(f"join: {best['name']}, {best['category']}, {best['price']}")

    # A cursor needs a transaction; prefetch=1 asks for one row at a time. connection.cursor() would give the statement a
    # name, and leave it in the session.
    async with connection.transaction():
        statement = await connection.prepare(ANSWER, name="")
        async for row in statement.cursor("How long is the warranty of the refrigerator?", prefetch=1):
            if row["sentence"]:
                print(f"answer {row['number']}: {row['sentence']}", flush=True)
            else:
                print("answer declined:", str(row["declined"]).lower())
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
