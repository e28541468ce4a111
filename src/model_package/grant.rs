//! `socle.grant_model` and `socle.revoke_model`.

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
const SET_PUBLIC: &str = include_str!("../../sql/model_package/set_public.sql");
const INSERT: &str = include_str!("../../sql/model_package/insert_grant.sql");
const DELETE: &str = include_str!("../../sql/model_package/delete_grant.sql");

/// The role that stands for everybody.
const PUBLIC: &str = "public";

#[pg_extern(sql = false)]
fn grant_model(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    change(call, c"socle.grant_model()", true).map_err(report)
}

#[pg_extern(sql = false)]
fn revoke_model(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    change(call, c"socle.revoke_model()", false).map_err(report)
}

fn change(call: pg_sys::FunctionCallInfo, function: &CStr, may: bool) -> Result<()> {
    backend::prevent_if_read_only(function);
    let arguments = Arguments::new(call);
    let name = arguments.short_text(0, "name")?.unwrap_or_default();
    let role = arguments.short_text(1, "role")?.unwrap_or_default();
    model::require_known(&name)?;
    if role == PUBLIC {
        query::run(SET_PUBLIC, &[name.as_str().into(), may.into()])?;
    } else {
        let role = oid_of(&role)?;
        query::run(if may { INSERT } else { DELETE }, &[name.as_str().into(), role.into()])?;
    }
    let kind = if may { EventKind::GrantModel } else { EventKind::RevokeModel };
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
