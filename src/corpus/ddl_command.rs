//! What a command says that the catalogs do not tell afterwards: that rows came, went or changed without a trigger.

use crate::pg::event_trigger::{self, EventTriggerCall, Part};
use crate::pg::version;
use pgrx::pg_sys;

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

/// Reads the parse tree of an event trigger; nothing is said of a call that is none.
pub fn read(call: Option<EventTriggerCall<'_>>) -> Command {
    let mut command = Command::default();
    match call.map(EventTriggerCall::command) {
        Some(event_trigger::Command::AlterTable(statement)) => {
            // Attributes of a composite type that columns may have.
            command.compare = statement.is_of_type();
            statement.parts().for_each(|part| note(&mut command, part));
        }
        // A value of the enum is renamed.
        Some(event_trigger::Command::AlterEnum { renames }) => command.compare = renames,
        Some(event_trigger::Command::Other) | None => {}
    }
    command
}

/// The table or type that is altered, its name resolved as in the session; an invalid OID for another command.
pub fn altered_relation(call: Option<EventTriggerCall<'_>>) -> pg_sys::Oid {
    match call.map(EventTriggerCall::command) {
        Some(event_trigger::Command::AlterTable(statement)) => statement.relation(),
        _ => pg_sys::InvalidOid,
    }
}

fn note(command: &mut Command, part: Part) {
    use pg_sys::AlterTableType as Kind;
    match part {
        Part::Type { column, computed } => {
            command.compare = true;
            if computed {
                command.rewritten.push(column.clone());
            }
            command.retyped.push(column);
        }
        Part::Other(
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
            | Kind::AT_DisableTrigUser,
        ) => command.compare = true,
        Part::Other(other) => command.compare |= version::sets_expression(other),
    }
}
