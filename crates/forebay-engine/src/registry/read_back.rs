//! What a call's own record means, now that the tail has read it: decided by
//! the table as it was at that record, so that it does not depend on how the
//! log came in chunks.

use super::call::{Call, Wanted};
use super::error::RegistryError;
use super::log_record::{KeyKind, SpecValue};
use super::merge::join;
use super::messages::TaskReply;
use super::repair::RepairKind;
use super::table::{Applied, Table};
use crate::task::Task;

/// What to do with the call.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Answer.
    Done(TaskReply),
    /// Undo the record, then answer this.
    Refuse(RegistryError, RepairKind),
    /// The record overwrote newer fields of another's: this has both.
    Merge(Box<SpecValue>),
    /// Not this call's decisive record.
    NotYet,
}

/// Judges a call by its own record, just applied.
pub(super) fn judge(table: &Table, call: &Call, applied: &Applied) -> Verdict {
    match (&call.wanted, applied.kind) {
        (Wanted::Create, KeyKind::Spec) => judge_state(table, call),
        (Wanted::Run(_), KeyKind::Run) | (Wanted::Modify { .. }, KeyKind::Spec)
            if applied.was_gone =>
        {
            // A deletion came first. Ids are never used again, so that whatever
            // the log holds of this one has to go.
            gone(call)
        }
        (Wanted::Run(_), KeyKind::Run) => judge_state(table, call),
        (Wanted::Modify { .. }, KeyKind::Spec) => {
            let current = table.spec_value(&call.task).zip(table.live(&call.task));
            if let (Some((replaced, replaced_claim)), Some((current, (_, claim)))) =
                (&applied.replaced, current)
                && let Some(joined) = join((replaced, *replaced_claim), (current, claim))
            {
                return Verdict::Merge(Box::new(joined));
            }
            judge_state(table, call)
        }
        _ => Verdict::NotYet,
    }
}

fn gone(call: &Call) -> Verdict {
    let refusal = RegistryError::NotFound(call.task.to_string());
    Verdict::Refuse(refusal, RepairKind::Remove)
}

/// Judges a call by the table alone: its record is known to be in the log
/// before the table's position, though compaction may have removed it.
pub(super) fn judge_state(table: &Table, call: &Call) -> Verdict {
    if let Wanted::Delete(task) = &call.wanted {
        return Verdict::Done(Ok(task.clone()));
    }
    let Some(task) = table.task(&call.task) else {
        return gone(call);
    };
    let name = &task.spec.name;
    let owns_name = table.owner(name) == Some(&call.task);
    match &call.wanted {
        Wanted::Create if !owns_name => {
            let refusal = RegistryError::NameTaken(name.clone());
            Verdict::Refuse(refusal, RepairKind::Remove)
        }
        Wanted::Modify {
            patch,
            name: before,
        } if !owns_name && name != before && patch.name.as_ref() == Some(name) => {
            let kind = RepairKind::Rename {
                losing: name.clone(),
                back_to: before.clone(),
            };
            Verdict::Refuse(RegistryError::NameTaken(name.clone()), kind)
        }
        // As the call left it, also where a later record is all that is left.
        Wanted::Run(run) => Verdict::Done(Ok(Task { run: *run, ..task })),
        _ => Verdict::Done(Ok(task)),
    }
}
