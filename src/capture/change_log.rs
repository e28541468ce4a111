//! The trigger's cache of change logs: each is looked up once and kept until a relation it depends on changes.

use crate::catalog::sql_template::batch_name;
use crate::pg::column::Column;
use crate::pg::privilege::{may_insert, may_read_large_object, may_use_schema};
use crate::pg::run_as::as_superuser;
use crate::pg::snapshot::in_latest_snapshot;
use crate::pg::subtransaction::attempt;
use crate::pg::trigger_call::{Row, TriggerCall};
use crate::pg::{backend, callback, error, gucs, plan_cache, relation};
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi::OwnedPreparedStatement;
use serde::Deserialize;
use socle_core::{Error, Kind, Result};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// The change log of one corpus, as one trigger sees it.
pub struct ChangeLog {
    /// Name of the corpus.
    pub corpus: String,
    /// OID of the change log; invalid where it could not be found.
    pub relation: pg_sys::Oid,
    /// Owner of the change log.
    pub owner: pg_sys::Oid,
    schema: pg_sys::Oid,
    /// The corpus is paused or broken: no worker works on it.
    pub inactive: bool,
    /// Key columns in the table that the trigger is on.
    pub key: Vec<Column>,
    /// Columns that chunks are built from.
    content: Vec<Column>,
    /// Attribute number and position of the column with the OIDs of large objects.
    object: Option<(i16, Column)>,
    /// Highest attribute number that is read.
    last: i32,
    /// Prepared inserts; `None` where the log cannot take keys as they are.
    pub inserts: Option<Inserts>,
    /// Whether no object of its owner's takes part in an insert, and the value of `CHANGES` when that was checked.
    plain: Cell<Option<(u64, bool)>>,
}

/// Prepared statements that append to a change log.
pub struct Inserts {
    /// Appends one key.
    pub one: OwnedPreparedStatement,
    /// Appends many keys: an array per key column.
    pub many: OwnedPreparedStatement,
    /// Appends a row without a key, which requests a resync.
    pub resync: OwnedPreparedStatement,
}

const FIND: &str = include_str!("../../sql/capture/find_capture.sql");
const IS_PLAIN: &str = include_str!("../../sql/capture/is_plain_log.sql");

thread_local! {
    /// By trigger OID. `None`: nothing to record, because the corpus is gone, waits to be bound, or is that of another
    /// table.
    static LOGS: RefCell<HashMap<pg_sys::Oid, Option<Rc<ChangeLog>>>> = RefCell::default();
    /// Relations whose change makes every entry of `LOGS` stale.
    static RELATIONS: RefCell<Vec<pg_sys::Oid>> = const { RefCell::new(Vec::new()) };
    static STALE: Cell<bool> = const { Cell::new(false) };
    /// Number of such changes seen.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// The change log that this trigger writes to.
pub fn find(call: TriggerCall<'_>) -> Option<Rc<ChangeLog>> {
    if STALE.replace(false) {
        LOGS.with_borrow_mut(HashMap::clear);
    }
    let trigger = call.trigger();
    if let Some(known) = LOGS.with_borrow(|logs| logs.get(&trigger).cloned()) {
        return known;
    }
    if !REGISTERED.replace(true) {
        callback::at_relation_changes(relation_changed);
    }
    let relation = call.relation();
    let log = call.only_argument().and_then(|corpus| {
        let corpus = corpus.to_string_lossy();
        // What cannot be looked up is not lost: the corpus is resynced.
        attempt(|| look_up(&corpus, relation)).unwrap_or_else(|_| Some(ChangeLog::unknown(&corpus)))
    });
    let log = log.map(Rc::new);
    RELATIONS.with_borrow_mut(|relations| {
        let found = [relation].into_iter().chain(log.as_ref().map(|log| log.relation));
        relations.extend(found.filter(|relation| !relations.contains(relation)).collect::<Vec<_>>());
    });
    LOGS.with_borrow_mut(|logs| logs.insert(trigger, log.clone()));
    log
}

/// Whether cached change logs may be out of date.
pub fn is_stale() -> bool {
    STALE.get()
}

/// Makes every session look up a change log again once this transaction has committed, as when its corpus was paused.
pub fn invalidate(change_log: pg_sys::Oid) {
    backend::invalidate_relation(change_log);
}

/// Runs `work` in the latest snapshot, as the trigger itself is looked up: a corpus may be created, and a log changed,
/// while a transaction with an older snapshot writes.
fn as_of_now<T>(work: impl FnOnce() -> T) -> T {
    gucs::with_gucs(&[gucs::PINNED_SEARCH_PATH], || in_latest_snapshot(|| as_superuser(work)))
}

fn look_up(corpus: &str, relation: pg_sys::Oid) -> Result<Option<ChangeLog>> {
    as_of_now(|| {
        let relation_text = relation.to_u32().to_string();
        let arguments = [corpus.into(), relation_text.as_str().into()];
        let found = plan_cache::rows(FIND, &arguments, 1, |row| row.get::<String>(1))?;
        let Some(found) = found.into_iter().next().flatten() else { return Ok(None) };
        let found = serde_json::from_str(&found).map_err(|error| {
            Error::new(Kind::Bug, "could not read where changes are logged").detail(error.to_string())
        })?;
        prepare(corpus, found, relation).map(Some).map_err(error::spi)
    })
}

/// The row that `FIND` returns.
#[derive(Deserialize)]
struct Found {
    log: u32,
    owner: u32,
    schema: u32,
    name: Option<String>,
    /// Attribute numbers of the key columns in the table that the trigger is on; `own_key` has those in the log.
    key: Vec<Option<i16>>,
    own_key: Vec<Option<i16>>,
    key_names: String,
    content: Vec<i16>,
    object: Option<i16>,
    inactive: bool,
    /// All key columns exist, and the log is that of this table.
    complete: bool,
}

fn prepare(corpus: &str, found: Found, table: pg_sys::Oid) -> pgrx::spi::Result<ChangeLog> {
    let (log, owner, schema) = (found.log.into(), found.owner.into(), found.schema.into());
    let columns = |numbers: Vec<i16>| numbers.into_iter().filter_map(|number| Column::of(table, number)).collect();
    let same = |(number, own): (&Option<i16>, &Option<i16>)| match (number, own) {
        (Some(number), Some(own)) => relation::base_type(table, *number) == relation::base_type(log, *own),
        _ => false,
    };
    let fits = found.complete && found.key.iter().zip(&found.own_key).all(same);
    let key: Vec<Column> = if fits { columns(found.key.iter().copied().flatten().collect()) } else { Vec::new() };
    let content: Vec<Column> = columns(found.content);
    let object = found.object.and_then(|number| Some((number, Column::of(table, number)?)));
    let all = key.iter().chain(&content).chain(object.as_ref().map(|(_, column)| column));
    let last = all.map(Column::width).max().unwrap_or_default();
    let name = found.name.filter(|_| fits && !key.is_empty());
    let inserts = name.map(|name| prepare_inserts(&name, &found.key_names, &key)).transpose()?;
    Ok(ChangeLog {
        corpus: corpus.to_string(),
        relation: log,
        owner,
        schema,
        inactive: found.inactive,
        last: i32::try_from(last).unwrap_or(i32::MAX),
        key,
        content,
        object,
        inserts,
        plain: Cell::new(None),
    })
}

fn prepare_inserts(name: &str, key_names: &str, key: &[Column]) -> pgrx::spi::Result<Inserts> {
    let parameters = |form: fn(usize) -> String| (1..=key.len()).map(form).collect::<Vec<_>>().join(", ");
    let one = format!("INSERT INTO {name} ({key_names}) VALUES ({})", parameters(|number| format!("${number}")));
    let batches = parameters(|number| batch_name(number - 1));
    let many = format!("INSERT INTO {name} ({batches}) VALUES ({})", parameters(|number| format!("${number}")));
    let resync = format!("INSERT INTO {name} DEFAULT VALUES");
    let types = |of: fn(&Column) -> pg_sys::Oid| key.iter().map(|column| PgOid::from(of(column))).collect::<Vec<_>>();
    Spi::connect(|client| {
        Ok(Inserts {
            one: client.prepare_mut(one.as_str(), &types(Column::type_oid))?.keep(),
            many: client.prepare_mut(many.as_str(), &types(Column::array_oid))?.keep(),
            resync: client.prepare_mut(resync.as_str(), &[])?.keep(),
        })
    })
}

impl ChangeLog {
    /// The change log of a corpus that could not be looked up: it takes no keys.
    fn unknown(corpus: &str) -> Self {
        Self {
            corpus: corpus.to_string(),
            relation: pg_sys::InvalidOid,
            owner: pg_sys::InvalidOid,
            schema: pg_sys::InvalidOid,
            inactive: false,
            key: Vec::new(),
            content: Vec::new(),
            object: None,
            last: 0,
            inserts: None,
            plain: Cell::new(None),
        }
    }

    /// Whether changes can be logged by their keys.
    pub fn takes_keys(&self) -> bool {
        self.inserts.is_some()
    }

    /// Whether what is logged for `other` can be logged here as well: columns of the key may have got other types since.
    pub fn takes_the_same(&self, other: &Self) -> bool {
        let same = self.relation == other.relation && self.takes_keys() == other.takes_keys();
        let types = self.key.iter().map(Column::type_oid);
        same && self.corpus == other.corpus && types.eq(other.key.iter().map(Column::type_oid))
    }

    /// Whether nothing can keep a row out of the log: no object that its owner has put on it, and no missing privilege
    /// of the owner. Locks it, so that this stays so until the transaction ends.
    pub fn is_open(&self) -> bool {
        relation::lock_for_insert(self.relation);
        let plain = match self.plain.get() {
            Some((as_of, plain)) if as_of == CHANGES.get() => plain,
            _ => {
                let as_of = CHANGES.get();
                let arguments = [self.relation.into()];
                let rows = as_of_now(|| plan_cache::rows(IS_PLAIN, &arguments, 1, |row| row.get::<bool>(1)));
                let plain = rows.is_ok_and(|rows| rows.first() == Some(&Some(true)));
                self.plain.set(Some((as_of, plain)));
                plain
            }
        };
        plain && may_use_schema(self.schema, self.owner) && may_insert(self.relation, self.owner)
    }

    /// Deforms a row up to the last column that is needed.
    pub fn read(&self, row: Row<'_>) {
        row.deform(self.last);
    }

    /// Raises 42501 when the new row names a large object that its writer may not read: the sync worker reads it with
    /// the rights of the owner of the table, and would show it to every role that may read the chunks. One that does
    /// not exist is an error as well, because its OID may be that of another role's object later.
    pub fn check_object(&self, relation: pg_sys::Oid, new: Row<'_>, old: Option<Row<'_>>) {
        let Some((number, column)) = &self.object else { return };
        if old.is_some_and(|old| old.same(new, column)) {
            return;
        }
        let Some(object) = new.oid(column) else { return };
        if !may_read_large_object(object) {
            let name = relation::column_name(relation, *number);
            let object = object.to_u32();
            let error = Error::new(Kind::NotPermitted, format!("permission denied for large object {object}")).detail(
                format!("Column \"{name}\" belongs to a corpus, which shows the text of large objects to its readers."),
            );
            let error = error.hint("Its owner can grant SELECT on it to the role that writes the row.");
            error::raise(error);
        }
    }

    /// Whether two rows have the same key.
    pub fn same_key(&self, first: Row<'_>, second: Row<'_>) -> bool {
        self.key.iter().all(|column| first.same(second, column))
    }

    /// Whether two rows have the same content.
    pub fn same_content(&self, first: Row<'_>, second: Row<'_>) -> bool {
        self.content.iter().all(|column| first.same(second, column))
    }
}

/// Sets a flag; allocates nothing, raises nothing.
fn relation_changed(relation: pg_sys::Oid) {
    let concerned = RELATIONS.with(|relations| {
        relations.try_borrow().map_or(true, |relations| relation == pg_sys::InvalidOid || relations.contains(&relation))
    });
    if concerned {
        STALE.set(true);
        CHANGES.set(CHANGES.get().wrapping_add(1));
    }
}
