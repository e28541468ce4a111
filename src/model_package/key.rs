//! `socle.trust_key` and `socle.distrust_key`; whether somebody who is trusted has signed a manifest.

use crate::ledger::{self, Event, EventKind};
use crate::pg::arguments::Arguments;
use crate::pg::error::report;
use crate::pg::{backend, plan_cache, run_as, spi as query};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};
use socle_package::{PublicKey, check_signature, key_of};
use std::ffi::CStr;

const INSERT: &str = include_str!("../../sql/model_package/insert_key.sql");
const DELETE: &str = include_str!("../../sql/model_package/delete_key.sql");
const TRUSTED: &str = include_str!("../../sql/model_package/trusted_keys.sql");
const SIGNED: &str = include_str!("../../sql/model_package/signed.sql");
const SET_SIGNATURE: &str = include_str!("../../sql/model_package/set_signature.sql");

/// Who has signed a manifest.
#[derive(Debug)]
pub struct Voucher {
    /// Name of the key here.
    pub name: String,
    /// The key.
    pub key: PublicKey,
}

#[pg_extern(sql = false)]
fn trust_key(call: pg_sys::FunctionCallInfo) -> Result<String, ErrorReport> {
    let trusted = || -> Result<String> {
        require_superuser(c"socle.trust_key()")?;
        let arguments = Arguments::new(call);
        let name = arguments.short_text(0, "name")?.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| Error::new(Kind::InvalidArgument, "name must not be empty"))?;
        let key = PublicKey::parse(&arguments.short_text(1, "public_key")?.unwrap_or_default())?;
        if let Some(known) = keys()?.into_iter().find(|known| known.name == name || known.key == key) {
            let message = format!("key \"{}\" is trusted already", known.name);
            return Err(Error::new(Kind::AlreadyExists, message)
                .hint("End the trust in it first with socle.distrust_key(), if another key is to have its name."));
        }
        query::run(INSERT, &[name.as_str().into(), key.text.as_str().into(), key.id.as_str().into()])?;
        vouch_for_earlier(&key)?;
        ledger::record(Event::new(EventKind::TrustKey).with("name", name).with("key_id", key.id.clone()));
        Ok(key.id)
    };
    trusted().map_err(report)
}

#[pg_extern(sql = false)]
fn distrust_key(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let distrusted = || -> Result<()> {
        require_superuser(c"socle.distrust_key()")?;
        let name = Arguments::new(call).short_text(0, "name")?.unwrap_or_default();
        let known = keys()?.into_iter().find(|known| known.name == name);
        let Some(known) = known else {
            return Err(
                Error::new(Kind::UnknownModel, format!("no key \"{name}\" is trusted")).hint("See socle.trusted_key.")
            );
        };
        query::run(DELETE, &[name.as_str().into()])?;
        ledger::record(Event::new(EventKind::DistrustKey).with("name", name).with("key_id", known.key.id));
        Ok(())
    };
    distrusted().map_err(report)
}

/// These functions are those of superusers, whoever may execute them.
fn require_superuser(function: &CStr) -> Result<()> {
    backend::prevent_if_read_only(function);
    if run_as::is_superuser() {
        return Ok(());
    }
    let function = function.to_string_lossy();
    Err(Error::new(Kind::NotPermitted, format!("must be superuser to call {function}"))
        .detail("Trusted keys decide which models may be used."))
}

/// Packages that were imported before their key was trusted.
fn vouch_for_earlier(key: &PublicKey) -> Result<()> {
    let stored = plan_cache::rows(SIGNED, &[], 0, |row| {
        let text = |column| row.get::<String>(column).unwrap_or_default();
        (text(1), text(2), text(3))
    })?;
    for (package, manifest, signature) in stored {
        if check_signature(key, manifest.as_bytes(), &signature).is_ok() {
            set_signature(&package, &signature, Some(key))?;
        }
    }
    Ok(())
}

/// Notes the signature of a package, and the key that was verified with it.
///
/// # Errors
/// Those of SPI.
pub fn set_signature(package: &str, signature: &str, key: Option<&PublicKey>) -> Result<()> {
    let key = key.map(|key| key.text.clone());
    run_as::as_superuser(|| query::run(SET_SIGNATURE, &[package.into(), signature.into(), key.into()]))
}

/// Who vouches for a manifest with this signature; `None` if that is a key that is not trusted, which a notice says.
///
/// # Errors
/// `NotPermitted` for a signature of a trusted key that is not one of this manifest; `DamagedDocument` for what is none.
pub fn voucher(manifest: &[u8], signature: &str) -> Result<Option<Voucher>> {
    let Some(id) = key_of(signature) else {
        return Err(Error::new(Kind::DamagedDocument, "the signature of the package is not one of minisign"));
    };
    let mut refusal = None;
    for known in keys()?.into_iter().filter(|known| known.key.id == id) {
        match check_signature(&known.key, manifest, signature) {
            Ok(_) => return Ok(Some(known)),
            Err(error) => refusal = Some(error),
        }
    }
    if let Some(error) = refusal {
        return Err(error);
    }
    pgrx::notice!("the package is signed by key {id}, which is not trusted here: it counts as unsigned");
    Ok(None)
}

fn keys() -> Result<Vec<Voucher>> {
    let rows = plan_cache::rows(TRUSTED, &[], 0, |row| {
        let text = |column| row.get::<String>(column).unwrap_or_default();
        (text(1), text(2))
    })?;
    rows.into_iter().map(|(name, key)| Ok(Voucher { name, key: PublicKey::parse(&key)? })).collect()
}
