//! The trigger's cache of change logs: each is looked up once and kept until a relation it depends on changes.

use crate::catalog::sql_template::batch_name;
use crate::pg::error;
use crate::pg::run_as::as_superuser;
use crate::pg::subtransaction::attempt;
use crate::pg::version::may_use_schema;
use crate::pg::{gucs, plan_cache};
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::spi::OwnedPreparedStatement;
use serde::Deserialize;
use socle_core::{Error, Kind, Result};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;
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
    pub resting: bool,
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

/// A column of the table that the trigger is on.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Position in a slot, from 0.
    index: usize,
    /// Type OID.
    pub type_oid: pg_sys::Oid,
    /// OID of its array type.
    pub array_oid: pg_sys::Oid,
    /// Length in bytes; -1 for a varlena, -2 for a C string (typlen).
    pub length: i16,
    /// Whether values are passed by value.
    pub by_value: bool,
    /// Alignment (typalign).
    pub align: std::ffi::c_char,
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
pub fn find(data: &pg_sys::TriggerData) -> Option<Rc<ChangeLog>> {
    if STALE.replace(false) {
        LOGS.with_borrow_mut(HashMap::clear);
    }
    // SAFETY: the trigger and its relation live as long as the call.
    let (trigger, relation) = unsafe { (&*data.tg_trigger, (*data.tg_relation).rd_id) };
    if let Some(known) = LOGS.with_borrow(|logs| logs.get(&trigger.tgoid).cloned()) {
        return known;
    }
    if !REGISTERED.replace(true) {
        // SAFETY: the callback lives as long as the process.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::null()) };
    }
    // SAFETY: a trigger with arguments has that many C strings of them.
    let corpus = (trigger.tgnargs == 1).then(|| unsafe { CStr::from_ptr(*trigger.tgargs) });
    let log = corpus.and_then(|corpus| {
        let corpus = corpus.to_string_lossy();
        // What cannot be looked up is not lost: the corpus is resynced.
        attempt(|| look_up(&corpus, relation)).unwrap_or_else(|_| Some(ChangeLog::unknown(&corpus)))
    });
    let log = log.map(Rc::new);
    RELATIONS.with_borrow_mut(|relations| {
        let found = [relation].into_iter().chain(log.as_ref().map(|log| log.relation));
        relations.extend(found.filter(|relation| !relations.contains(relation)).collect::<Vec<_>>());
    });
    LOGS.with_borrow_mut(|logs| logs.insert(trigger.tgoid, log.clone()));
    log
}

/// Whether cached change logs may be out of date.
pub fn is_stale() -> bool {
    STALE.get()
}

/// Makes every session look up a change log again once this transaction has committed, as when its corpus was paused.
pub fn invalidate(change_log: pg_sys::Oid) {
    // SAFETY: inside a transaction that has looked up the relation.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(change_log) };
}

/// Runs `work` in the latest snapshot, as the trigger itself is looked up: a corpus may be created, and a log changed,
/// while a transaction with an older snapshot writes.
fn in_latest_catalog_snapshot<T>(work: impl FnOnce() -> T) -> T {
    gucs::with_gucs(&[gucs::PINNED_SEARCH_PATH], || {
        // SAFETY: inside a transaction. An abort pops the snapshot.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
        let result = as_superuser(work);
        // SAFETY: pushed above.
        unsafe { pg_sys::PopActiveSnapshot() };
        result
    })
}

fn look_up(corpus: &str, relation: pg_sys::Oid) -> Result<Option<ChangeLog>> {
    in_latest_catalog_snapshot(|| {
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
    resting: bool,
    /// All key columns exist, and the log is that of this table.
    complete: bool,
}

fn prepare(corpus: &str, found: Found, relation: pg_sys::Oid) -> pgrx::spi::Result<ChangeLog> {
    let (log, owner, schema) = (found.log.into(), found.owner.into(), found.schema.into());
    let columns = |numbers: Vec<i16>| numbers.into_iter().filter_map(|number| Column::new(relation, number)).collect();
    let same = |(number, own): (&Option<i16>, &Option<i16>)| match (number, own) {
        (Some(number), Some(own)) => base_type(relation, *number) == base_type(log, *own),
        _ => false,
    };
    let fits = found.complete && found.key.iter().zip(&found.own_key).all(same);
    let key: Vec<Column> = if fits { columns(found.key.iter().copied().flatten().collect()) } else { Vec::new() };
    let content: Vec<Column> = columns(found.content);
    let object = found.object.and_then(|number| Some((number, Column::new(relation, number)?)));
    let all = key.iter().chain(&content).chain(object.as_ref().map(|(_, column)| column));
    let last = all.map(|column| column.index + 1).max().unwrap_or_default();
    let name = found.name.filter(|_| fits && !key.is_empty());
    let inserts = name.map(|name| prepare_inserts(&name, &found.key_names, &key)).transpose()?;
    Ok(ChangeLog {
        corpus: corpus.to_string(),
        relation: log,
        owner,
        schema,
        resting: found.resting,
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
            one: client.prepare_mut(one.as_str(), &types(|column| column.type_oid))?.keep(),
            many: client.prepare_mut(many.as_str(), &types(|column| column.array_oid))?.keep(),
            resync: client.prepare_mut(resync.as_str(), &[])?.keep(),
        })
    })
}

/// Base type, typmod and collation of a column, with domains resolved.
fn base_type(relation: pg_sys::Oid, number: i16) -> (pg_sys::Oid, i32, pg_sys::Oid) {
    let (mut type_oid, mut length, mut collation) = (pg_sys::InvalidOid, -1, pg_sys::InvalidOid);
    // SAFETY: catalog lookups inside a transaction, of a column that has just been found.
    unsafe {
        pg_sys::get_atttypetypmodcoll(relation, number, &mut type_oid, &mut length, &mut collation);
        let base = pg_sys::getBaseTypeAndTypmod(type_oid, &mut length);
        (base, length, collation)
    }
}

impl Column {
    fn new(relation: pg_sys::Oid, number: i16) -> Option<Self> {
        let (mut length, mut by_value, mut align) = (0, false, 0);
        // SAFETY: catalog lookups inside a transaction.
        let (type_oid, array_oid) = unsafe {
            let type_oid = pg_sys::get_atttype(relation, number);
            pg_sys::get_typlenbyvalalign(type_oid, &mut length, &mut by_value, &mut align);
            (type_oid, pg_sys::get_array_type(type_oid))
        };
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        Some(Self { index, type_oid, array_oid, length, by_value, align })
    }

    /// The bytes of a value passed by reference, not detoasted, as datumIsEqual (datum.c) compares them.
    ///
    /// # Safety
    /// The value is of this type and lives as long as the result is used.
    unsafe fn bytes<'a>(&self, value: pg_sys::Datum) -> &'a [u8] {
        // SAFETY: see above.
        unsafe {
            match self.length {
                -1 => {
                    let varlena = value.cast_mut_ptr::<pg_sys::varlena>();
                    std::slice::from_raw_parts(varlena.cast::<u8>(), pgrx::varlena::varsize_any(varlena))
                }
                -2 => CStr::from_ptr(value.cast_mut_ptr()).to_bytes(),
                length => std::slice::from_raw_parts(value.cast_mut_ptr(), usize::try_from(length).unwrap_or_default()),
            }
        }
    }

    /// A copy in the current memory context, detoasted.
    ///
    /// # Safety
    /// The value is of this type.
    pub unsafe fn copy(&self, value: pg_sys::Datum) -> pg_sys::Datum {
        if self.by_value {
            return value;
        }
        // SAFETY: see above; palloc0 returns at least as many bytes as are copied, and the final zero of a C string.
        unsafe {
            if self.length == -1 {
                return pg_sys::Datum::from(pg_sys::pg_detoast_datum_copy(value.cast_mut_ptr()));
            }
            let bytes = self.bytes(value);
            let copy = pg_sys::palloc0(bytes.len() + 1).cast::<u8>();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            pg_sys::Datum::from(copy)
        }
    }

    /// The value in a slot; `None` for NULL.
    ///
    /// # Safety
    /// [`ChangeLog::read`] was called with the slot.
    pub unsafe fn value(&self, slot: *mut pg_sys::TupleTableSlot) -> Option<pg_sys::Datum> {
        // SAFETY: the slot has at least as many values as `last` says.
        unsafe { if *(*slot).tts_isnull.add(self.index) { None } else { Some(*(*slot).tts_values.add(self.index)) } }
    }

    /// Whether two rows hold the same bytes. Two TOAST pointers to equal texts count as different; an update that
    /// leaves a column alone keeps its pointer.
    ///
    /// # Safety
    /// As for [`Self::value`].
    unsafe fn same(&self, first: *mut pg_sys::TupleTableSlot, second: *mut pg_sys::TupleTableSlot) -> bool {
        // SAFETY: both values are of this type.
        unsafe {
            match (self.value(first), self.value(second)) {
                (Some(first), Some(second)) if self.by_value => first.value() == second.value(),
                (Some(first), Some(second)) => {
                    first.value() == second.value() || self.bytes(first) == self.bytes(second)
                }
                (first, second) => first.is_none() && second.is_none(),
            }
        }
    }
}

impl ChangeLog {
    /// The change log of a corpus that could not be looked up: it takes no keys.
    fn unknown(corpus: &str) -> Self {
        Self {
            corpus: corpus.to_string(),
            relation: pg_sys::InvalidOid,
            owner: pg_sys::InvalidOid,
            schema: pg_sys::InvalidOid,
            resting: false,
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

    /// Whether nothing can keep a row out of the log: no object that its owner has put on it, and no missing privilege
    /// of the owner. Locks it, so that this stays so until the transaction ends.
    pub fn is_open(&self) -> bool {
        let (lock, right) = (pg_sys::RowExclusiveLock.cast_signed(), pg_sys::ACL_INSERT as pg_sys::AclMode);
        // SAFETY: inside a transaction; the lock that every insert takes.
        unsafe { pg_sys::LockRelationOid(self.relation, lock) };
        let plain = match self.plain.get() {
            Some((as_of, plain)) if as_of == CHANGES.get() => plain,
            _ => {
                let as_of = CHANGES.get();
                let arguments = [self.relation.into()];
                let rows =
                    in_latest_catalog_snapshot(|| plan_cache::rows(IS_PLAIN, &arguments, 1, |row| row.get::<bool>(1)));
                let plain = rows.is_ok_and(|rows| rows.first() == Some(&Some(true)));
                self.plain.set(Some((as_of, plain)));
                plain
            }
        };
        plain
            && may_use_schema(self.schema, self.owner)
            // SAFETY: a catalog lookup inside a transaction.
            && unsafe { pg_sys::pg_class_aclcheck(self.relation, self.owner, right) } == pg_sys::AclResult::ACLCHECK_OK
    }

    /// Deforms a row up to the last column that is needed.
    ///
    /// # Safety
    /// The slot holds a row of the table that the trigger is on.
    pub unsafe fn read(&self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: see above.
        unsafe {
            if i32::from((*slot).tts_nvalid) < self.last {
                pg_sys::slot_getsomeattrs_int(slot, self.last);
            }
        }
    }

    /// Raises 42501 when the new row names a large object that its writer may not read: the sync worker reads it with
    /// the rights of the owner of the table, and would show it to every role that may read the chunks. One that does
    /// not exist is an error as well, because its OID may be that of another role's object later.
    ///
    /// # Safety
    /// [`Self::read`] was called with both slots: the new row, and the one it replaces.
    pub unsafe fn check_object(
        &self,
        relation: pg_sys::Oid,
        new: *mut pg_sys::TupleTableSlot,
        old: Option<*mut pg_sys::TupleTableSlot>,
    ) {
        let Some((number, column)) = &self.object else { return };
        // SAFETY: see above; a column of type oid, which is passed by value, and catalog lookups inside a transaction.
        // A null snapshot stands for a catalog snapshot.
        let (object, permitted) = unsafe {
            if old.is_some_and(|old| column.same(old, new)) {
                return;
            }
            let Some(object) = column.value(new).map(|value| pg_sys::Oid::from(value.value() as u32)) else { return };
            let (writer, right) = (pg_sys::GetUserId(), pg_sys::ACL_SELECT as pg_sys::AclMode);
            (object, pg_sys::pg_largeobject_aclcheck_snapshot(object, writer, right, std::ptr::null_mut()))
        };
        if permitted != pg_sys::AclResult::ACLCHECK_OK {
            // SAFETY: names of a column and a relation that the trigger runs for.
            let name = unsafe { CStr::from_ptr(pg_sys::get_attname(relation, *number, false)) }.to_string_lossy();
            let object = object.to_u32();
            let error = Error::new(Kind::NotPermitted, format!("permission denied for large object {object}")).detail(
                format!("Column \"{name}\" belongs to a corpus, which shows the text of large objects to its readers."),
            );
            let error = error.hint("Its owner can grant SELECT on it to the role that writes the row.");
            error::report(error).report(PgLogLevel::ERROR);
        }
    }

    /// # Safety
    /// [`Self::read`] was called with both slots.
    pub unsafe fn same_key(&self, first: *mut pg_sys::TupleTableSlot, second: *mut pg_sys::TupleTableSlot) -> bool {
        // SAFETY: see above.
        self.key.iter().all(|column| unsafe { column.same(first, second) })
    }

    /// # Safety
    /// As for [`Self::same_key`].
    pub unsafe fn same_content(&self, first: *mut pg_sys::TupleTableSlot, second: *mut pg_sys::TupleTableSlot) -> bool {
        // SAFETY: see above.
        self.content.iter().all(|column| unsafe { column.same(first, second) })
    }
}

/// Relcache callback. Runs during invalidation: sets a flag, allocates nothing, raises nothing.
#[pg_guard]
unsafe extern "C-unwind" fn relation_changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    let concerned = RELATIONS.with(|relations| {
        relations.try_borrow().map_or(true, |relations| relation == pg_sys::InvalidOid || relations.contains(&relation))
    });
    if concerned {
        STALE.set(true);
        CHANGES.set(CHANGES.get().wrapping_add(1));
    }
}
