//! tokio-postgres: search, filters, lists, a join and a streamed answer. The connection is that of PGHOST, PGDATABASE, ….

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use std::env::var;
use std::error::Error;
use std::pin::pin;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls};

const HITS: &str = "
    SELECT p.name, p.price::text, p.category
    FROM socle.search('manual', $1, filter => $2, result_limit => $3) AS s
    JOIN product AS p ON p.id = (s.source_key ->> 'id')::bigint
    ORDER BY s.score DESC";

const EMBED: &str = "SELECT v::real[] FROM unnest(socle.embed($1)) WITH ORDINALITY AS u (v, n) ORDER BY n";

// In the target list, where each row is sent before the next one is made.
const ANSWER: &str = "
    SELECT (a).number, (a).sentence, (a).declined
    FROM (SELECT socle.answer_stream('manual', $1, max_sentences => 2) AS a) AS answer";

struct Hit {
    name: String,
    price: String,
    category: String,
}

/// A filter is a value, whatever a user has entered. `query_typed` leaves no prepared statement behind in a pooler.
async fn hits(
    client: &Client,
    query: &str,
    filter: Option<Value>,
    limit: i32,
) -> Result<Vec<Hit>, tokio_postgres::Error> {
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&query, Type::TEXT), (&filter, Type::JSONB), (&limit, Type::INT4)];
    let rows = client.query_typed(HITS, &parameters).await?;
    Ok(rows.iter().map(|row| Hit { name: row.get(0), price: row.get(1), category: row.get(2) }).collect())
}

async fn show(client: &Client) -> Result<(), Box<dyn Error>> {
    println!("search: {}", hits(client, "How do I get rid of limescale in the kettle?", None, 3).await?[0].name);

    let entered = json!({"category": ["lamp", "fan"], "price": {"<=": 50}});
    let mut names: Vec<String> =
        hits(client, "Lampe", Some(entered), 3).await?.into_iter().map(|hit| hit.name).collect();
    names.sort();
    println!("filter: {}", names.join(", "));
    let hostile = json!({"category": "lamp'; DROP TABLE product; --"});
    println!("hostile filter: {} hits", hits(client, "lamp", Some(hostile), 3).await?.len());

    // A list with its type.
    let texts = ["five years", "cinq ans"];
    let vectors = client.query_typed(EMBED, &[(&texts.as_slice(), Type::TEXT_ARRAY)]).await?;
    println!("list: {} vectors of {} numbers", vectors.len(), vectors[0].get::<_, Vec<f32>>(0).len());

    let best = hits(client, "grind beans", None, 1).await?.remove(0);
    println!("join: {}, {}, {}", best.name, best.category, best.price);

    let question = "How long is the warranty of the refrigerator?";
    let mut rows = pin!(client.query_typed_raw(ANSWER, [(question, Type::TEXT)]).await?);
    while let Some(row) = rows.try_next().await? {
        match row.get::<_, Option<&str>>(1) {
            Some(sentence) => println!("answer {}: {sentence}", row.get::<_, i32>(0)),
            None => println!("answer declined: {}", row.get::<_, bool>(2)),
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::new();
    config.host(var("PGHOST")?).port(var("PGPORT")?.parse()?).user(var("PGUSER")?).dbname(var("PGDATABASE")?);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (client, connection) = config.connect(NoTls).await?;
        // The connection does the reading and writing while the client waits for answers.
        let connection = tokio::spawn(connection);
        show(&client).await?;
        drop(client);
        Ok(connection.await??)
    })
}
