//! What a command says that the catalogs do not tell afterwards: that rows came, went or changed without a trigger.

use crate::pg::version;
use pgrx::pg_sys;
use std::ffi::CStr;

/// A command that corpora may have to follow.
#[derive(Debug, Default)]
pub struct Command {
    /// Rows may have come, gone or changed without a trigger, or may do so from now on: requires a resync.
    pub compare: bool,
    /// Columns rewritten by a `USING` expression.
    pub rewritten: Vec<String>,
    /// Columns that get another type.
    pub retyped: Vec<String>,
    /// The command only matters for what it has dropped.
    pub only_dropped: bool,
}

/// Reads the parse tree of an event trigger.
///
/// # Safety
/// `call` is that of an event trigger.
pub unsafe fn read(call: pg_sys::FunctionCallInfo) -> Command {
    let mut command = Command::default();
    // SAFETY: the context of an event trigger is an EventTriggerData, whose parse tree says what kind of node it is.
    unsafe {
        let Some(tree) = tree(call) else { return command };
        match (*tree).type_ {
            pg_sys::NodeTag::T_AlterTableStmt => {
                let statement = &*tree.cast::<pg_sys::AlterTableStmt>();
                // Attributes of a composite type that columns may have.
                command.compare = statement.objtype == pg_sys::ObjectType::OBJECT_TYPE;
                cells(statement.cmds).iter().for_each(|cell| note(&mut command, &*cell.ptr_value.cast()));
            }
            // A value of the enum is renamed.
            pg_sys::NodeTag::T_AlterEnumStmt => {
                command.compare = !(*tree.cast::<pg_sys::AlterEnumStmt>()).oldVal.is_null();
            }
            _ => {}
        }
    }
    command
}

/// The table or type that is altered, its name resolved as in the session.
///
/// # Safety
/// As for [`read`], which has returned retyped columns.
pub unsafe fn altered_relation(call: pg_sys::FunctionCallInfo) -> pg_sys::Oid {
    // SAFETY: only an AlterTableStmt retypes columns. Nothing is locked; a missing relation is no error here.
    unsafe {
        let Some(tree) = tree(call) else { return pg_sys::InvalidOid };
        let (lock, missing_ok) = (pg_sys::NoLock.cast_signed(), pg_sys::RVROption::RVR_MISSING_OK);
        let name = (*tree.cast::<pg_sys::AlterTableStmt>()).relation;
        pg_sys::RangeVarGetRelidExtended(name, lock, missing_ok, None, std::ptr::null_mut())
    }
}

/// # Safety
/// As for [`read`].
unsafe fn tree(call: pg_sys::FunctionCallInfo) -> Option<*mut pg_sys::Node> {
    // SAFETY: a call has a context, of the type it says, or none.
    unsafe {
        let context = (*call).context;
        let is_event = !context.is_null() && (*context).type_ == pg_sys::NodeTag::T_EventTriggerData;
        is_event.then(|| (*context.cast::<pg_sys::EventTriggerData>()).parsetree)
    }
}

/// # Safety
/// `list` is a list of Postgres, or null.
unsafe fn cells<'a>(list: *mut pg_sys::List) -> &'a [pg_sys::ListCell] {
    if list.is_null() {
        return &[];
    }
    // SAFETY: a list has as many elements as it says.
    unsafe { std::slice::from_raw_parts((*list).elements, usize::try_from((*list).length).unwrap_or_default()) }
}

/// # Safety
/// `part` belongs to a parse tree.
unsafe fn note(command: &mut Command, part: &pg_sys::AlterTableCmd) {
    use pg_sys::AlterTableType as Kind;
    match part.subtype {
        Kind::AT_AlterColumnType => {
            // SAFETY: such a part has the name of a column and its definition, with the USING expression as
            // raw_default.
            let (name, computed) = unsafe {
                let definition = part.def.cast::<pg_sys::ColumnDef>();
                (CStr::from_ptr(part.name).to_string_lossy().into_owned(), !(*definition).raw_default.is_null())
            };
            command.compare = true;
            if computed {
                command.rewritten.push(name.clone());
            }
            command.retyped.push(name);
        }
        Kind::AT_AttachPartition
        | Kind::AT_DetachPartition
        | Kind::AT_DetachPartitionFinalize
        | Kind::AT_EnableTrig
        | Kind::AT_EnableAlwaysTrig
        | Kind::AT_EnableReplicaTrig
        | Kind::AT_EnableTrigAll
        | Kind::AT_EnableTrigUser
        | Kind::AT_DisableTrig
        | Kind::AT_DisableTrigAll
        | Kind::AT_DisableTrigUser => command.compare = true,
        other if version::sets_expression(other) => command.compare = true,
        _ => {}
    }
}
