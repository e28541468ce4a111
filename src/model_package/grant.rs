//! `socle.grant_model` and `socle.revoke_model`; the same for generators.

use crate::generator_client;
use crate::ledger::{self, Event, EventKind};
use crate::model;
use crate::pg::arguments::Arguments;
use crate::pg::error::{report, spi};
use crate::pg::{backend, spi as query};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use std::ffi::CStr;

const FIND_ROLE: &str = include_str!("../../sql/endpoint/find_role.sql");

/// The role that stands for everybody.
const PUBLIC: &str = "public";

/// What is granted: its statements, the kinds of its entries in the ledger, and the check of its name.
struct Granted {
    set_public: &'static str,
    insert: &'static str,
    delete: &'static str,
    kinds: [EventKind; 2],
    require_known: fn(&str) -> Result<()>,
}

const MODEL: Granted = Granted {
    set_public: include_str!("../../sql/model_package/set_public.sql"),
    insert: include_str!("../../sql/model_package/insert_grant.sql"),
    delete: include_str!("../../sql/model_package/delete_grant.sql"),
    kinds: [EventKind::GrantModel, EventKind::RevokeModel],
    require_known: model::require_known,
};

const GENERATOR: Granted = Granted {
    set_public: include_str!("../../sql/generator/set_public.sql"),
    insert: include_str!("../../sql/generator/insert_grant.sql"),
    delete: include_str!("../../sql/generator/delete_grant.sql"),
    kinds: [EventKind::GrantGenerator, EventKind::RevokeGenerator],
    require_known: generator_client::require_known,
};

#[pg_extern(sql = false)]
fn grant_model(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    change(call, c"socle.grant_model()", &MODEL, true).map_err(report)
}

#[pg_extern(sql = false)]
fn revoke_model(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    change(call, c"socle.revoke_model()", &MODEL, false).map_err(report)
}

#[pg_extern(sql = false)]
fn grant_generator(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    change(call, c"socle.grant_generator()", &GENERATOR, true).map_err(report)
}

#[pg_extern(sql = false)]
fn revoke_generator(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    change(call, c"socle.revoke_generator()", &GENERATOR, false).map_err(report)
}

fn change(call: pg_sys::FunctionCallInfo, function: &CStr, granted: &Granted, may: bool) -> Result<()> {
    backend::prevent_if_read_only(function);
    let arguments = Arguments::new(call);
    let name = arguments.short_text(0, "name")?.unwrap_or_default();
    let role = arguments.short_text(1, "role")?.unwrap_or_default();
    (granted.require_known)(&name)?;
    if role == PUBLIC {
        query::run(granted.set_public, &[name.as_str().into(), may.into()])?;
    } else {
        let statement = if may { granted.insert } else { granted.delete };
        query::run(statement, &[name.as_str().into(), oid_of(&role)?.into()])?;
    }
    let kind = granted.kinds[usize::from(!may)];
    ledger::record(Event::new(kind).with("name", name).with("role", role));
    Ok(())
}

fn oid_of(role: &str) -> Result<i64> {
    let found = Spi::connect(|client| client.select(FIND_ROLE, Some(1), &[role.into()])?.first().get_one::<i64>())
        .map_err(spi)?;
    found.ok_or_else(|| {
        let error = Error::new(Kind::UnknownModel, format!("role \"{role}\" does not exist"));
        if role.eq_ignore_ascii_case(PUBLIC) { error.hint("Everybody is 'public', in small letters.") } else { error }
    })
}
