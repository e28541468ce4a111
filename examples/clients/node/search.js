// node-postgres: search, filters, lists, a join and a streamed answer. The connection is that of PGHOST, PGDATABASE, …
"use strict";

const { Client, Query } = require("pg");

const HITS = `
    SELECT p.name, p.price, p.category
    FROM socle.search('manual', $1::text, filter => $2::jsonb, result_limit => $3::int) AS s
    JOIN product AS p ON p.id = (s.source_key ->> 'id')::bigint
    ORDER BY s.score DESC`;

// In the target list, where each row is sent before the next one is made.
const ANSWER = `
    SELECT (a).number, (a).sentence, (a).declined
    FROM (SELECT socle.answer_stream('manual', $1::text, max_sentences => 2) AS a) AS answer`;

async function main() {
  const client = new Client();
  await client.connect();

  // Statements without a name are not kept on the server, so that a pooler can lend the session to others.
  const hits = async (query, filter = null, limit = 3) =>
    (await client.query(HITS, [query, filter && JSON.stringify(filter), limit])).rows;

  console.log("search:", (await hits("How do I get rid of limescale in the kettle?"))[0].name);

  const entered = { category: ["lamp", "fan"], price: 50 };
  const found = await hits("Lampe", { category: entered.category, price: { "<=": entered.price } });
  console.log("filter:", found.map((row) => row.name).sort().join(", "));
  const hostile = await hits("lamp", { category: "lamp'; DROP TABLE product; --" });
  console.log("hostile filter:", hostile.length, "hits");

  // A list with its type: without ::text[], PostgreSQL would take it for one text.
  const { rows: vectors } = await client.query(
    "SELECT v::real[] AS vector FROM unnest(socle.embed($1::text[])) WITH ORDINALITY AS u (v, n) ORDER BY n",
    [["five years", "cinq ans"]],
  );
  console.log("list:", vectors.length, "vectors of", vectors[0].vector.length, "numbers");

  const [best] = await hits("grind beans", null, 1);
  console.log(`join: ${best.name}, ${best.category}, ${best.price}`);

  // A Query says "row" as soon as a row is there; client.query(text) would wait for all.
  await new Promise((resolve, reject) => {
    const query = client.query(new Query(ANSWER, ["How long is the warranty of the refrigerator?"]));
    query.on("row", (row) =>
      console.log(row.sentence ? `answer ${row.number}: ${row.sentence}` : `answer declined: ${row.declined}`),
    );
    query.on("end", resolve);
    query.on("error", reject);
  });
  await client.end();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
