//! How functions find a registered endpoint, and whether the caller may use it.

use crate::pg::{plan_cache, snapshot};
use pgrx::pg_sys;
use serde::Deserialize;
use socle_core::endpoint::{CorpusPolicy, Dialect, EndpointSpec, refusal};
use socle_core::{Error, Kind, Result};

const FIND: &str = include_str!("../../sql/endpoint/find_endpoint.sql");
const FIND_EGRESS: &str = include_str!("../../sql/endpoint/find_egress.sql");

const LABELLED: &str = include_str!("../../sql/endpoint/labelled_column.sql");

/// A row of `socle.endpoint`, and whether the caller may use it.
#[derive(Debug, Deserialize)]
pub struct EndpointRow {
    name: String,
    url: String,
    dialect: String,
    model: String,
    key_file: Option<String>,
    ca_file: Option<String>,
    allow_loopback: bool,
    allow_private: bool,
    timeout_seconds: u32,
    max_response_bytes: u64,
    context_tokens: u32,
    extra_body: Option<Box<serde_json::value::RawValue>>,
    /// Whether the caller is a superuser or a member of a role that was granted the endpoint.
    pub may_use: bool,
}

impl EndpointRow {
    fn spec(self) -> Option<EndpointSpec> {
        Some(EndpointSpec {
            dialect: Dialect::parse(&self.dialect)?,
            name: self.name,
            url: self.url,
            model: self.model,
            key_file: self.key_file,
            ca_file: self.ca_file,
            allow_loopback: self.allow_loopback,
            allow_private: self.allow_private,
            timeout_seconds: self.timeout_seconds,
            max_response_bytes: self.max_response_bytes,
            context_tokens: self.context_tokens,
            extra_body: self.extra_body.map(|body| body.get().to_string()),
        })
    }
}

/// The row of an endpoint, if there is one of this name by now: what was closed since the transaction began is closed.
///
/// # Errors
/// `Bug` when the tables of socle cannot be read.
pub fn row(name: &str) -> Result<Option<EndpointRow>> {
    let found = snapshot::in_latest_snapshot_to_read(|| {
        plan_cache::rows(FIND, &[name.into()], 1, |row| row.get::<String>(1).unwrap_or_default())
    })?;
    let Some(row) = found.first() else { return Ok(None) };
    serde_json::from_str(row).map(Some).map_err(|_| damaged(name))
}

/// The endpoint of this name, if there is one, whether or not the caller may use it.
///
/// # Errors
/// `DamagedModelFile` when its row was changed by hand.
pub fn registered(name: &str) -> Result<Option<EndpointSpec>> {
    let Some(row) = row(name)? else { return Ok(None) };
    row.spec().map(Some).ok_or_else(|| damaged(name))
}

/// The endpoint of this name, if there is one, for the caller to use.
///
/// # Errors
/// `NotPermitted`; `DamagedModelFile` when its row was changed by hand.
pub fn find(name: &str) -> Result<Option<EndpointSpec>> {
    let Some(row) = row(name)? else { return Ok(None) };
    if !row.may_use {
        return Err(Error::new(Kind::NotPermitted, format!("permission denied for endpoint \"{name}\""))
            .hint("A superuser can grant its use with socle.grant_endpoint()."));
    }
    row.spec().map(Some).ok_or_else(|| damaged(name))
}

/// Checks, before anything leaves, that by now the endpoint is still the one that was found, that the caller may still use it,
/// and that each of the corpora still allows it, however old the snapshot of the transaction is.
///
/// # Errors
/// `NotPermitted`; those of [`find`].
pub fn require_open(endpoint: &EndpointSpec, corpora: &[CorpusPolicy]) -> Result<()> {
    if find(&endpoint.name)?.as_ref() != Some(endpoint) {
        return Err(Error::new(Kind::NotPermitted, format!("endpoint \"{}\" was dropped meanwhile", endpoint.name)));
    }
    let names: Vec<String> = corpora.iter().map(|corpus| corpus.name.clone()).collect();
    let found = snapshot::in_latest_snapshot_to_read(|| {
        plan_cache::rows(FIND_EGRESS, &[names.into()], 0, |row| {
            (row.get::<Vec<String>>(1).unwrap_or_default(), row.get::<String>(2))
        })
    })?;
    let (egress, labelled): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let by_now = corpora.iter().zip(egress).map(|(corpus, egress)| CorpusPolicy { name: corpus.name.clone(), egress });
    if let Some(error) = refusal(&endpoint.name, &by_now.collect::<Vec<_>>()) {
        return Err(error);
    }
    super::remember_session();
    let labelled = corpora.iter().zip(labelled).find_map(|(corpus, column)| Some(kept_in(&corpus.name, &column?)));
    labelled.map_or(Ok(()), Err)
}

/// Checks that nothing that a corpus takes texts from is labelled as not to leave: neither its source nor one of these columns.
///
/// # Errors
/// `NotPermitted`.
pub fn require_unlabelled(corpus: &str, source: u32, columns: Vec<String>) -> Result<()> {
    let arguments = [pg_sys::Oid::from(source).into(), columns.into()];
    let found = snapshot::in_latest_snapshot_to_read(|| {
        plan_cache::rows(LABELLED, &arguments, 1, |row| row.get::<String>(1).unwrap_or_default())
    })?;
    found.first().map_or(Ok(()), |column| Err(kept_in(corpus, column)))
}

/// The error for text that must not leave; `*` is the whole source.
fn kept_in(corpus: &str, column: &str) -> Error {
    let what = if column == "*" { "its source".to_string() } else { format!("column \"{column}\"") };
    Error::new(
        Kind::NotPermitted,
        format!("nothing of corpus \"{corpus}\" may leave for an endpoint: {what} is labelled no_egress"),
    )
    .hint("Its owner has labelled it: see SECURITY LABEL FOR socle. Without egress, the corpus works on this machine.")
}

fn damaged(name: &str) -> Error {
    Error::new(Kind::DamagedModelFile, format!("the row of endpoint \"{name}\" in socle.endpoint is damaged"))
        .hint("Drop the endpoint with socle.drop_endpoint() and register it again.")
}
