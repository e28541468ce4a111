//! The call of a trigger function, and the rows that it is called for.

use super::column::Column;
use super::error::require;
use super::version;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use std::ffi::CStr;
use std::marker::PhantomData;

/// A trigger that is being fired.
#[derive(Clone, Copy, Debug)]
pub struct TriggerCall<'call>(&'call pg_sys::TriggerData);

/// What a trigger is fired for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TriggerEvent {
    /// A row was inserted.
    Insert,
    /// A row was updated.
    Update,
    /// A row was deleted.
    Delete,
    /// The table was truncated.
    Truncate,
}

impl<'call> TriggerCall<'call> {
    /// The trigger that a function was called for; `None` for any other call.
    ///
    /// # Safety
    /// Postgres is making this call, which does not end before `'call`.
    pub unsafe fn of(call: pg_sys::FunctionCallInfo) -> Option<Self> {
        // SAFETY: a call has a context, of the type that its node tag says, or none.
        unsafe {
            let context = (*call).context;
            let is_trigger = !context.is_null() && (*context).type_ == pg_sys::NodeTag::T_TriggerData;
            is_trigger.then(|| Self(&*context.cast::<pg_sys::TriggerData>()))
        }
    }

    /// What it is fired for.
    pub fn event(self) -> TriggerEvent {
        match self.0.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT => TriggerEvent::Insert,
            pg_sys::TRIGGER_EVENT_UPDATE => TriggerEvent::Update,
            pg_sys::TRIGGER_EVENT_DELETE => TriggerEvent::Delete,
            _ => TriggerEvent::Truncate,
        }
    }

    /// OID of the trigger.
    pub fn trigger(self) -> pg_sys::Oid {
        self.definition().tgoid
    }

    /// OID of the table.
    pub fn relation(self) -> pg_sys::Oid {
        self.table().rd_id
    }

    /// Name of the table.
    pub fn relation_name(self) -> &'call CStr {
        // SAFETY: the cache entry of an open relation has its row of pg_class.
        unsafe { CStr::from_ptr((&raw const (*self.table().rd_rel).relname.data).cast()) }
    }

    /// The argument of a trigger that was created with one; otherwise `None`.
    pub fn only_argument(self) -> Option<&'call CStr> {
        let trigger = self.definition();
        // SAFETY: a trigger with arguments has as many C strings.
        (trigger.tgnargs == 1).then(|| unsafe { CStr::from_ptr(*trigger.tgargs) })
    }

    /// The row of a row trigger; after an update, the row before it.
    pub fn row(self) -> Option<Row<'call>> {
        Row::of(self.0.tg_trigslot)
    }

    /// The row after an update.
    pub fn new_row(self) -> Option<Row<'call>> {
        if self.event() == TriggerEvent::Update { Row::of(self.0.tg_newslot) } else { None }
    }

    /// The row of a row trigger as a parameter of a statement.
    pub fn row_parameter(self) -> Option<DatumWithOid<'call>> {
        if self.0.tg_trigtuple.is_null() {
            return None;
        }
        let table = self.table();
        // SAFETY: a row of this table, which is copied into memory of the call.
        unsafe {
            let row = pg_sys::heap_copy_tuple_as_datum(self.0.tg_trigtuple, table.rd_att);
            Some(DatumWithOid::new(row, (*table.rd_rel).reltype))
        }
    }

    /// The result by which a BEFORE trigger lets the row pass as it is.
    pub fn unchanged(self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.0.tg_trigtuple)
    }

    fn definition(self) -> &'call pg_sys::Trigger {
        // SAFETY: the trigger lives as long as the call.
        unsafe { &*self.0.tg_trigger }
    }

    fn table(self) -> &'call pg_sys::RelationData {
        // SAFETY: the relation is open as long as the call.
        unsafe { &*self.0.tg_relation }
    }
}

/// A row that a trigger is called for.
#[derive(Clone, Copy, Debug)]
pub struct Row<'call>(*mut pg_sys::TupleTableSlot, PhantomData<&'call pg_sys::TriggerData>);

impl Row<'_> {
    fn of(slot: *mut pg_sys::TupleTableSlot) -> Option<Self> {
        (!slot.is_null()).then_some(Self(slot, PhantomData))
    }

    /// Deforms the row up to so many columns, so that each of them is read at once.
    pub fn deform(self, width: i32) {
        // SAFETY: the slot lives as long as the call, and holds a row of the table. The function raises an error for more
        // columns than there are.
        unsafe {
            if i32::from((*self.0).tts_nvalid) < width {
                pg_sys::slot_getsomeattrs_int(self.0, width);
            }
        }
    }

    /// Whether a column is NULL.
    pub fn is_null(self, column: &Column) -> bool {
        self.value(column).is_none()
    }

    /// A value that is passed by value, as an OID; `None` for NULL.
    pub fn oid(self, column: &Column) -> Option<pg_sys::Oid> {
        self.value(column).filter(|_| column.by_value).map(|value| pg_sys::Oid::from(value.value() as u32))
    }

    /// A copy of a value in the current memory context, detoasted; `None` for NULL.
    pub(super) fn copy(self, column: &Column) -> Option<pg_sys::Datum> {
        // SAFETY: `value` has checked the type.
        self.value(column).map(|value| unsafe { column.copy(value) })
    }

    /// Whether two rows hold the same bytes in a column. Two TOAST pointers to equal texts count as different; an update
    /// that leaves a column alone keeps its pointer.
    pub fn same(self, other: Row<'_>, column: &Column) -> bool {
        match (self.value(column), other.value(column)) {
            (Some(first), Some(second)) if column.by_value => first.value() == second.value(),
            (Some(first), Some(second)) => {
                // SAFETY: `value` has checked the type of both, and both live as long as the call.
                first.value() == second.value() || unsafe { column.bytes(first) == column.bytes(second) }
            }
            (first, second) => first.is_none() && second.is_none(),
        }
    }

    /// A value of the type of the column; `None` for NULL. Raises an error when the row has another type there.
    fn value(self, column: &Column) -> Option<pg_sys::Datum> {
        self.deform(i32::try_from(column.width()).unwrap_or(i32::MAX));
        // SAFETY: the row was deformed at least up to the column.
        unsafe {
            let found = version::column_type((*self.0).tts_tupleDescriptor, column.index);
            require(found == Some(column.type_oid), "a row has other columns than its trigger expects");
            let null = *(*self.0).tts_isnull.add(column.index);
            (!null).then(|| *(*self.0).tts_values.add(column.index))
        }
    }
}
