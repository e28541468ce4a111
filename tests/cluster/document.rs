//! Files on real clusters. One file for each subject; this one has what they share.

mod corpus;
mod extract;
mod import;
mod long;
mod object;
mod ocr;
mod ocr_limit;
mod ocr_model;
mod picture;

use postgres::Client;

/// One value of one row.
fn value<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, sql: &str) -> T {
    client.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}
