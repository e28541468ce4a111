"""psycopg 3: search, filters, lists, a join and a streamed answer. The connection is that of PGHOST, PGDATABASE, …"""

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

HITS = """
    SELECT p.name, p.price, p.category
    FROM socle.search('manual', %(query)s, filter => %(filter)s, result_limit => %(limit)s) AS s
    JOIN product AS p ON p.id = (s.source_key ->> 'id')::bigint
    ORDER BY s.score DESC"""

# In the target list, where each row is sent before the next one is made; in FROM, all would be made first.
ANSWER = """
    SELECT (a).number, (a).sentence, (a).declined
    FROM (SELECT socle.answer_stream('manual', %s, max_sentences => 2) AS a) AS answer"""


def main() -> None:
    # prepare_threshold=None: statements prepared on the server would stay behind in a pooler.
    with psycopg.connect(prepare_threshold=None, row_factory=namedtuple_row) as connection:

        def hits(query, filter=None, limit=3):
            # A filter is data: whatever a user enters, it is a value and never SQL.
            parameters = {"query": query, "filter": filter and Jsonb(filter), "limit": limit}
            return connection.execute(HITS, parameters).fetchall()

        print("search:", hits("How do I get rid of limescale in the kettle?")[0].name)

        entered = {"category": ["lamp", "fan"], "price": 50}
        found = hits("Lampe", {"category": entered["category"], "price": {"<=": entered["price"]}})
        print("filter:", ", ".join(sorted(row.name for row in found)))
        print("hostile filter:", len(hits("lamp", {"category": "lamp'; DROP TABLE product; --"})), "hits")

        # A list with its type: without ::text[], PostgreSQL would take it for one text.
        texts = ["five years", "cinq ans"]
        vectors = connection.execute(
            "SELECT v::real[] AS vector FROM unnest(socle.embed(%s::text[])) WITH ORDINALITY AS u (v, n) ORDER BY n", [texts]
        ).fetchall()
        print("list:", len(vectors), "vectors of", len(vectors[0].vector), "numbers")

        best = hits("grind beans", limit=1)[0]
        print(f"join: {best.name}, {best.category}, {best.price}")

        # stream() reads row by row, as libpq does in single-row mode.
        with connection.cursor() as cursor:
            for row in cursor.stream(ANSWER, ["How long is the warranty of the refrigerator?"]):
                if row.sentence:
                    print(f"answer {row.number}: {row.sentence}", flush=True)
                else:
                    print("answer declined:", str(row.declined).lower())


if __name__ == "__main__":
    main()
