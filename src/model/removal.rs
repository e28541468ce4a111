//! `socle.drop_model`, and the end of a package that nothing has any more.

use super::{text, unknown};
use crate::ledger::{self, Event, EventKind};
use crate::model_files;
use crate::pg::arguments::Arguments;
use crate::pg::backend;
use crate::pg::error::{report, spi};
use crate::pg::{plan_cache, relation, run_as, snapshot, spi as query};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use socle_core::{Error, Kind, Result};

const DELETE: &str = include_str!("../../sql/model/delete_model.sql");
const CORPORA: &str = include_str!("../../sql/model/corpora_of_model.sql");
const DELETE_PACKAGE: &str = include_str!("../../sql/model_package/delete_unused.sql");

#[pg_extern(sql = false)]
fn drop_model(call: pg_sys::FunctionCallInfo) -> Result<(), ErrorReport> {
    let dropped = || -> Result<()> {
        backend::prevent_if_read_only(c"socle.drop_model()");
        let arguments = Arguments::new(call);
        let name = arguments.short_text(0, "name")?.unwrap_or_default();
        if arguments.boolean(1) != Some(true) {
            refuse_if_in_use(&name)?;
        }
        let package = Spi::connect_mut(|client| {
            let rows = client.update(DELETE, None, &[name.as_str().into()])?;
            rows.map(|row| row.get::<String>(1)).next().transpose()
        });
        match package.map_err(spi)? {
            None => return Err(unknown(&name)?),
            Some(None) => {}
            Some(Some(package)) => drop_package(&package)?,
        }
        ledger::record(Event::new(EventKind::DropModel).with("model", name));
        Ok(())
    };
    dropped().map_err(report)
}

/// Refuses to drop a model that corpora have. Waits for those that are created or altered just now.
fn refuse_if_in_use(name: &str) -> Result<()> {
    relation::lock_against_inserts(relation::find_and_lock("socle", "corpus"));
    let corpora = snapshot::in_latest_snapshot(|| plan_cache::rows(CORPORA, &[name.into()], 0, text))?;
    if corpora.is_empty() {
        return Ok(());
    }
    let named: Vec<String> = corpora.iter().map(|corpus| format!("\"{corpus}\"")).collect();
    Err(Error::new(Kind::NotInState, format!("model \"{name}\" is in use"))
        .detail(format!("Corpora use it: {}.", named.join(", ")))
        .hint("Drop them, give them another model with socle.alter_corpus(), or pass force => true: they do not follow their sources then until they have another, or the same one is registered under this name again, and without their embedding model can be searched by words only."))
}

/// Forgets a package that no model and no generator has any more, and its files.
///
/// # Errors
/// Those of SPI.
pub fn drop_package(package: &str) -> Result<()> {
    // Whoever imports is done, so that no files are removed that are about to be used.
    relation::lock_against_inserts(relation::find_and_lock("socle", "model_package"));
    run_as::as_superuser(|| query::run(DELETE_PACKAGE, &[package.into()]))?;
    model_files::remove_unused()
}
