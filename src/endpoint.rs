//! Registered endpoints: `socle.register_endpoint`, `socle.drop_endpoint`, `socle.grant_endpoint`, `socle.revoke_endpoint`.
//! How other functions find one: [`crate::egress_client`].

use crate::egress_client;
use crate::language_model;
use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::error::{report, spi};
use crate::pg::{backend, gucs, plan_cache, relation, run_as, snapshot, spi as query};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::endpoint::{Dialect, EndpointSpec};
use socle_core::{Error, Kind, Result, hint};
use std::ffi::CStr;

const INSERT: &str = include_str!("../sql/endpoint/insert_endpoint.sql");
const DELETE: &str = include_str!("../sql/endpoint/delete_endpoint.sql");
const NAMES: &str = include_str!("../sql/endpoint/endpoint_names.sql");
const FIND_ROLE: &str = include_str!("../sql/endpoint/find_role.sql");
const STILL_ALLOWED: &str = include_str!("../sql/endpoint/still_allowed.sql");
const INSERT_GRANT: &str = include_str!("../sql/endpoint/insert_grant.sql");
const DELETE_GRANT: &str = include_str!("../sql/endpoint/delete_grant.sql");

/// Most seconds of a request.
const MAX_TIMEOUT: i32 = 3_600;

/// Most bytes of an answer.
const MAX_RESPONSE: i64 = 64 << 20;

/// The role that stands for everybody.
const PUBLIC: &str = "public";

#[pg_extern(sql = false)]
fn register_endpoint(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let registered = || -> Result<()> {
        require_superuser(c"socle.register_endpoint()")?;
        let endpoint = read(Arguments::new(call))?;
        endpoint.check()?;
        if let Some(error) = language_model::name_taken(&endpoint.name)? {
            return Err(error);
        }
        insert(&endpoint)?;
        ledger::record(
            Event::new(EventKind::RegisterEndpoint)
                .with("endpoint", endpoint.name.as_str())
                .with("url", endpoint.url.as_str())
                .with("dialect", endpoint.dialect.name())
                .with("model", endpoint.model.as_str())
                .with("has_key", endpoint.key_file.is_some())
                .with("allow_loopback", endpoint.allow_loopback)
                .with("allow_private", endpoint.allow_private),
        );
        [&endpoint.key_file, &endpoint.ca_file].into_iter().flatten().for_each(|file| warn_if_missing(file));
        Ok(())
    };
    registered().map_err(report)
}

#[pg_extern(sql = false)]
fn drop_endpoint(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let dropped = || -> Result<()> {
        require_superuser(c"socle.drop_endpoint()")?;
        let name = Arguments::new(call).short_text(0, "name")?.unwrap_or_default();
        // Whoever allows an endpoint is done, or waits and finds that it is gone.
        relation::lock_against_inserts(table());
        require(&name)?;
        query::run(DELETE, &[name.as_str().into()])?;
        // What the snapshot of the transaction does not show, too.
        let left = snapshot::in_latest_snapshot(|| {
            plan_cache::rows(STILL_ALLOWED, &[name.as_str().into()], 1, |row| row.text(1).unwrap_or_default())
        })?;
        match left.first() {
            None => {
                ledger::record(Event::new(EventKind::DropEndpoint).with("endpoint", name));
                Ok(())
            }
            Some(corpus) => Err(Error::new(
                Kind::SnapshotTooOld,
                format!("corpus \"{corpus}\" has allowed endpoint \"{name}\" since this transaction began"),
            )
            .hint("Try again in a new transaction.")),
        }
    };
    dropped().map_err(report)
}

#[pg_extern(sql = false)]
fn grant_endpoint(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    change_grant(call, c"socle.grant_endpoint()", INSERT_GRANT, EventKind::GrantEndpoint).map_err(report)
}

#[pg_extern(sql = false)]
fn revoke_endpoint(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    change_grant(call, c"socle.revoke_endpoint()", DELETE_GRANT, EventKind::RevokeEndpoint).map_err(report)
}

/// Warns of a file that is not there. Its name is not repeated: it may be a key, passed in the place of one.
fn warn_if_missing(name: &str) {
    let directory = gucs::egress_key_directory();
    if directory.as_os_str().is_empty() || !directory.join(name).is_file() {
        pgrx::warning!(
            "key_file or ca_file names no file in socle.egress_key_directory at present; if it is a key itself, drop the endpoint, and have the key replaced"
        );
    }
}

/// These functions are those of superusers, whoever may execute them.
fn require_superuser(function: &CStr) -> Result<()> {
    backend::prevent_if_read_only(function);
    if run_as::is_superuser() {
        return Ok(());
    }
    let function = function.to_string_lossy();
    Err(Error::new(Kind::NotPermitted, format!("must be superuser to call {function}"))
        .detail("Endpoints are doors of the server: text leaves through them."))
}

fn read(arguments: Arguments) -> Result<EndpointSpec> {
    let invalid = |message: String| Error::new(Kind::InvalidArgument, message);
    let needed = |at: usize, name: &str| {
        let text = arguments.short_text(at, name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| invalid(format!("{name} must not be null or empty")))
    };
    let dialect = needed(2, "dialect")?;
    let dialect = Dialect::parse(&dialect).ok_or_else(|| {
        invalid(format!("dialect \"{dialect}\" does not exist"))
            .hint(format!("Dialects are {}.", Dialect::NAMES.join(", ")))
    })?;
    let timeout_seconds = match arguments.i32(8).unwrap_or(120) {
        seconds @ 1..=MAX_TIMEOUT => seconds.unsigned_abs(),
        _ => return Err(invalid(format!("timeout_seconds must be between 1 and {MAX_TIMEOUT}"))),
    };
    let max_response_bytes = match arguments.i64(9).unwrap_or(4 << 20) {
        bytes @ 1..=MAX_RESPONSE => bytes.unsigned_abs(),
        _ => return Err(invalid(format!("max_response_bytes must be between 1 and {MAX_RESPONSE}"))),
    };
    let context_tokens = match arguments.i32(10).unwrap_or(8192) {
        tokens @ 1.. => tokens.unsigned_abs(),
        _ => return Err(invalid("context_tokens must be at least 1".to_string())),
    };
    let file = |at: usize, name: &str| Ok(arguments.short_text(at, name)?.filter(|name| !name.is_empty()));
    Ok(EndpointSpec {
        name: needed(0, "name")?,
        url: needed(1, "url")?,
        dialect,
        model: needed(3, "model")?,
        key_file: file(4, "key_file")?,
        ca_file: file(5, "ca_file")?,
        allow_loopback: arguments.boolean(6).unwrap_or_default(),
        allow_private: arguments.boolean(7).unwrap_or_default(),
        timeout_seconds,
        max_response_bytes,
        context_tokens,
        extra_body: arguments.limited_json(11, "extra_body")?,
    })
}

fn insert(endpoint: &EndpointSpec) -> Result<()> {
    let arguments = [
        endpoint.name.as_str().into(),
        endpoint.url.as_str().into(),
        endpoint.dialect.name().into(),
        endpoint.model.as_str().into(),
        endpoint.key_file.clone().into(),
        endpoint.ca_file.clone().into(),
        endpoint.allow_loopback.into(),
        endpoint.allow_private.into(),
        endpoint.timeout_seconds.cast_signed().into(),
        endpoint.max_response_bytes.cast_signed().into(),
        endpoint.context_tokens.cast_signed().into(),
        endpoint.extra_body.clone().into(),
    ];
    query::run(INSERT, &arguments)
}

fn change_grant(call: pg_sys::FunctionCallInfo, function: &CStr, change: &str, kind: EventKind) -> Result<()> {
    require_superuser(function)?;
    let arguments = Arguments::new(call);
    let name = arguments.short_text(0, "name")?.unwrap_or_default();
    require(&name)?;
    let role_name = arguments.short_text(1, "role")?.unwrap_or_default();
    let role = role(&role_name)?;
    query::run(change, &[name.as_str().into(), role.into()])?;
    ledger::record(Event::new(kind).with("endpoint", name).with("to_role", role_name));
    Ok(())
}

/// The table of endpoints.
fn table() -> pg_sys::Oid {
    relation::find_and_lock("socle", "endpoint")
}

/// Checks that there is an endpoint of this name.
fn require(name: &str) -> Result<()> {
    if egress_client::row(name)?.is_some() {
        return Ok(());
    }
    Err(unknown(name)?)
}

/// The error for a name that no endpoint has.
///
/// # Errors
/// Those of SPI.
pub fn unknown(name: &str) -> Result<Error> {
    let none = "No endpoint is registered: see socle.register_endpoint().";
    let hint = hint::for_name(name, &query::query_texts(NAMES, &[])?, "Registered endpoints are", none);
    Ok(Error::new(Kind::UnknownModel, format!("endpoint \"{name}\" does not exist")).hint(hint))
}

/// Checks that there are endpoints of these names, and keeps them from being dropped until the transaction ends.
///
/// # Errors
/// `UnknownModel` for the first of which there is none.
pub fn require_all(names: &[String]) -> Result<()> {
    if !names.is_empty() {
        relation::lock_for_insert(table());
    }
    names.iter().try_for_each(|name| require(name))
}

/// The OID of a role; 0 for everybody.
fn role(name: &str) -> Result<i64> {
    if name == PUBLIC {
        return Ok(0);
    }
    let found =
        Spi::connect(|client| client.select(FIND_ROLE, Some(1), &[name.into()])?.first().get_one::<i64>()).map_err(spi);
    found?.ok_or_else(|| {
        let error = Error::new(Kind::UnknownModel, format!("role \"{name}\" does not exist"));
        if name.eq_ignore_ascii_case(PUBLIC) { error.hint("Everybody is 'public', in small letters.") } else { error }
    })
}
