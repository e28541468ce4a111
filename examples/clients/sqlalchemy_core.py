"""SQLAlchemy 2: search as a table-valued function, joined with a mapped table of the application."""

from decimal import Decimal

from sqlalchemy import ARRAY, REAL, BigInteger, Column, Float, Text, cast, create_engine, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

# Statements prepared on the server would stay behind in a pooler. The URL says nothing more: psycopg reads PGHOST, ….
engine = create_engine("postgresql+psycopg://", connect_args={"prepare_threshold": None})

# In the target list, where each row is sent before the next one is made. Arguments by name need text().
ANSWER = text("""
    SELECT (a).number, (a).sentence, (a).declined
    FROM (SELECT socle.answer_stream('manual', :question, max_sentences => 2) AS a) AS answer""")


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "product"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    name: Mapped[str]
    category: Mapped[str]
    price: Mapped[Decimal]


def search(query, filter=None, limit=3):
    """A statement for products, best first. The filter is a value, whatever a user has entered."""
    arguments = "manual", query, limit, "hybrid", cast(filter, JSONB(none_as_null=True))
    hit = func.socle.search(*arguments).table_valued(Column("source_key", JSONB), Column("score", Float), name="hit")
    key = cast(hit.c.source_key["id"].astext, BigInteger)
    return select(Product).join(hit, Product.id == key).order_by(hit.c.score.desc())


def main() -> None:
    with Session(engine) as session:
        best = session.scalars(search("How do I get rid of limescale in the kettle?")).first()
        print("search:", best.name)

        entered = {"category": ["lamp", "fan"], "price": 50}
        found = session.scalars(search("Lampe", {"category": entered["category"], "price": {"<=": entered["price"]}}))
        print("filter:", ", ".join(sorted(product.name for product in found)))
        hostile = session.scalars(search("lamp", {"category": "lamp'; DROP TABLE product; --"})).all()
        print("hostile filter:", len(hostile), "hits")

        # A list with its type: without the cast, PostgreSQL would take it for one text.
        texts = cast(["five years", "cinq ans"], ARRAY(Text))
        vector = func.unnest(func.socle.embed(texts)).column_valued("vector")
        vectors = session.scalars(select(cast(vector, ARRAY(REAL)))).all()
        print("list:", len(vectors), "vectors of", len(vectors[0]), "numbers")

        best = session.scalars(search("grind beans", limit=1)).one()
        print(f"join: {best.name}, {best.category}, {best.price}")

        # A cursor on the server that is read row by row.
        answer = session.connection().execution_options(yield_per=1)
        for row in answer.execute(ANSWER, {"question": "How long is the warranty of the refrigerator?"}):
            if row.sentence:
                print(f"answer {row.number}: {row.sentence}", flush=True)
            else:
                print("answer declined:", str(row.declined).lower())


if __name__ == "__main__":
    main()
