"""Django: search in SQL, objects of a model by the keys that it finds. Settings and model are in this file to be short."""

import json
import os

import django
from django.conf import settings

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],  # PGHOST and the like are read by psycopg
            # Cursors on the server, and statements prepared there, would stay behind in a pooler in transaction mode.
            "DISABLE_SERVER_SIDE_CURSORS": True,
            "OPTIONS": {"server_side_binding": False, "prepare_threshold": None},
        }
    }
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402

# JSON is passed as a text with a cast.
HITS = "SELECT s.source_key ->> 'id', s.score FROM socle.search('manual', %s, filter => %s::jsonb, result_limit => %s) AS s"
# In the target list, where each row is sent before the next one is made.
ANSWER = """
    SELECT (a).number, (a).sentence, (a).declined
    FROM (SELECT socle.answer_stream('manual', %s, max_sentences => 2) AS a) AS answer"""


class Product(models.Model):
    id = models.BigIntegerField(primary_key=True)
    name = models.TextField()
    category = models.TextField()
    price = models.DecimalField(max_digits=8, decimal_places=2)

    class Meta:
        app_label = "shop"
        managed = False
        db_table = "product"


def search(query, filter=None, limit=3):
    """Products, best first. The filter is a value, whatever a user has entered."""
    with connection.cursor() as cursor:
        cursor.execute(HITS, [query, None if filter is None else json.dumps(filter), limit])
        keys = [int(key) for key, _ in sorted(cursor.fetchall(), key=lambda row: -row[1])]
    products = Product.objects.in_bulk(keys)
    return [products[key] for key in keys if key in products]


def main() -> None:
    print("search:", search("How do I get rid of limescale in the kettle?")[0].name)

    entered = {"category": ["lamp", "fan"], "price": 50}
    found = search("Lampe", {"category": entered["category"], "price": {"<=": entered["price"]}})
    print("filter:", ", ".join(sorted(product.name for product in found)))
    print("hostile filter:", len(search("lamp", {"category": "lamp'; DROP TABLE product; --"})), "hits")

    with connection.cursor() as cursor:
        # A list with its type: without ::text[], PostgreSQL would take it for one text.
        cursor.execute("SELECT v::real[] FROM unnest(socle.embed(%s::text[])) AS v", [["five years", "cinq ans"]])
        vectors = [vector for (vector,) in cursor.fetchall()]
        print("list:", len(vectors), "vectors of", len(vectors[0]), "numbers")

    best = search("grind beans", limit=1)[0]
    print(f"join: {best.name}, {best.category}, {best.price}")

    # The connection of psycopg below that of Django reads row by row.
    with transaction.atomic(), connection.connection.cursor() as cursor:
        for number, sentence, declined in cursor.stream(ANSWER, ["How long is the warranty of the refrigerator?"]):
            if sentence:
                print(f"answer {number}: {sentence}", flush=True)
            else:
                print("answer declined:", str(declined).lower())


if __name__ == "__main__":
    main()
