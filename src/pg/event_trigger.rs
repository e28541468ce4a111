//! The call of an event trigger function, and the command that it is called for.

use pgrx::pg_sys;
use std::ffi::CStr;

/// An event trigger that is being fired.
#[derive(Clone, Copy, Debug)]
pub struct EventTriggerCall<'call>(&'call pg_sys::EventTriggerData);

/// The parse tree of a command.
#[derive(Clone, Copy, Debug)]
pub enum Command<'call> {
    /// `ALTER TABLE`, and whatever is parsed as such.
    AlterTable(AlterTable<'call>),
    /// `ALTER TYPE` of an enum.
    AlterEnum {
        /// A value is renamed.
        renames: bool,
    },
    /// Any other command.
    Other,
}

/// The parse tree of `ALTER TABLE`.
#[derive(Clone, Copy, Debug)]
pub struct AlterTable<'call>(&'call pg_sys::AlterTableStmt);

/// One of the changes that `ALTER TABLE` makes.
#[derive(Clone, Debug)]
pub enum Part {
    /// `ALTER COLUMN … TYPE`.
    Type {
        /// Name of the column.
        column: String,
        /// There is a `USING` expression.
        computed: bool,
    },
    /// Any other change.
    Other(pg_sys::AlterTableType::Type),
}

impl<'call> EventTriggerCall<'call> {
    /// The event trigger that a function was called for; `None` for any other call.
    ///
    /// # Safety
    /// Postgres is making this call, which does not end before `'call`.
    pub unsafe fn of(call: pg_sys::FunctionCallInfo) -> Option<Self> {
        // SAFETY: a call has a context, of the type that its node tag says, or none.
        unsafe {
            let context = (*call).context;
            let is_event = !context.is_null() && (*context).type_ == pg_sys::NodeTag::T_EventTriggerData;
            is_event.then(|| Self(&*context.cast::<pg_sys::EventTriggerData>()))
        }
    }

    /// The command.
    pub fn command(self) -> Command<'call> {
        let tree = self.0.parsetree;
        // SAFETY: the parse tree lives as long as the call, and says what kind of node it is.
        unsafe {
            match tree.as_ref().map(|tree| tree.type_) {
                Some(pg_sys::NodeTag::T_AlterTableStmt) => Command::AlterTable(AlterTable(&*tree.cast())),
                Some(pg_sys::NodeTag::T_AlterEnumStmt) => {
                    Command::AlterEnum { renames: !(*tree.cast::<pg_sys::AlterEnumStmt>()).oldVal.is_null() }
                }
                _ => Command::Other,
            }
        }
    }
}

impl AlterTable<'_> {
    /// Whether a composite type is altered, and not a relation.
    pub fn is_of_type(self) -> bool {
        self.0.objtype == pg_sys::ObjectType::OBJECT_TYPE
    }

    /// The table or type that is altered, its name resolved as in the session. Nothing is locked; an invalid OID when it
    /// does not exist.
    pub fn relation(self) -> pg_sys::Oid {
        let (lock, missing_ok) = (pg_sys::NoLock.cast_signed(), pg_sys::RVROption::RVR_MISSING_OK);
        // SAFETY: a statement names its relation.
        unsafe { pg_sys::RangeVarGetRelidExtended(self.0.relation, lock, missing_ok, None, std::ptr::null_mut()) }
    }

    /// The changes, in the order of the command.
    pub fn parts(self) -> impl Iterator<Item = Part> {
        let list = self.0.cmds;
        // SAFETY: a list has as many elements as it says, and those of this list are AlterTableCmd nodes, which live as
        // long as the call.
        let cells = unsafe {
            list.as_ref().map_or(&[][..], |list| {
                std::slice::from_raw_parts(list.elements, usize::try_from(list.length).unwrap_or_default())
            })
        };
        // SAFETY: as above.
        cells.iter().map(|cell| part(unsafe { &*cell.ptr_value.cast::<pg_sys::AlterTableCmd>() }))
    }
}

fn part(part: &pg_sys::AlterTableCmd) -> Part {
    if part.subtype != pg_sys::AlterTableType::AT_AlterColumnType {
        return Part::Other(part.subtype);
    }
    // SAFETY: such a part has the name of a column and its definition, with the USING expression as raw_default.
    unsafe {
        let definition = part.def.cast::<pg_sys::ColumnDef>();
        Part::Type {
            column: CStr::from_ptr(part.name).to_string_lossy().into_owned(),
            computed: !(*definition).raw_default.is_null(),
        }
    }
}
