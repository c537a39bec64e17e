//! Concurrent modifies of one task.
//!
//! A modify writes the whole spec, so one that did not know of another
//! replica's overwrites it. Every field that can change therefore carries a
//! stamp: how often it was changed, and by which write. Whoever reads back its
//! own record and finds that it replaced a spec with a newer field writes the
//! join of both: per field, the value with the greater stamp. Joins only ever
//! grow, so replicas that merge at the same time come to rest at one value.

use std::sync::Arc;

use super::log_record::{SpecValue, Stamp, WriteId};
use super::messages::ModifyTask;
use crate::task::TaskSpec;

/// `value`, whose name was taken at offset `claim`, with the changes made.
pub(super) fn modified(value: &SpecValue, claim: i64, patch: &ModifyTask) -> SpecValue {
    let write = WriteId::random();
    let spec = patch.patch(&value.spec);
    let mut stamps = value.stamps.clone();
    let bump = |changes: bool, stamp: &mut Stamp| {
        if changes {
            *stamp = stamp.next(&write);
        }
    };
    let renamed = spec.name != value.spec.name;
    bump(renamed, &mut stamps.name);
    bump(patch.description.is_some(), &mut stamps.description);
    bump(patch.tasks_max.is_some(), &mut stamps.tasks_max);
    bump(
        patch.sync_throttle_limit.is_some(),
        &mut stamps.sync_throttle_limit,
    );
    bump(patch.auto_expand.is_some(), &mut stamps.auto_expand);
    SpecValue {
        write,
        base: Some(value.write.clone()),
        claim: (!renamed).then_some(claim),
        stamps,
        spec: Arc::new(spec),
        extra: value.extra.clone(),
    }
}

/// Both values' newest fields, as a new write upon `current`; `None` when
/// `current` has them all. Each value comes with its name's claim.
pub(super) fn join(
    (other, other_claim): (&SpecValue, i64),
    (current, current_claim): (&SpecValue, i64),
) -> Option<SpecValue> {
    let mut spec = TaskSpec::clone(&current.spec);
    let mut stamps = current.stamps.clone();
    let mut claim = current_claim;
    let (from, newer) = (&other.spec, &other.stamps);
    if newer.name > stamps.name {
        stamps.name = newer.name.clone();
        spec.name.clone_from(&from.name);
        claim = other_claim;
    }
    if newer.description > stamps.description {
        stamps.description = newer.description.clone();
        spec.description.clone_from(&from.description);
    }
    if newer.tasks_max > stamps.tasks_max {
        stamps.tasks_max = newer.tasks_max.clone();
        spec.tasks_max = from.tasks_max;
    }
    if newer.sync_throttle_limit > stamps.sync_throttle_limit {
        stamps.sync_throttle_limit = newer.sync_throttle_limit.clone();
        spec.sync_throttle_limit = from.sync_throttle_limit;
    }
    if newer.auto_expand > stamps.auto_expand {
        stamps.auto_expand = newer.auto_expand.clone();
        spec.auto_expand = from.auto_expand;
    }
    if stamps == current.stamps {
        return None;
    }
    Some(SpecValue {
        write: WriteId::random(),
        base: Some(current.write.clone()),
        claim: Some(claim),
        stamps,
        spec: Arc::new(spec),
        extra: current.extra.clone(),
    })
}

/// The same task by another name, claimed by this very write.
pub(super) fn renamed(value: &SpecValue, name: String) -> SpecValue {
    let write = WriteId::random();
    let mut spec = TaskSpec::clone(&value.spec);
    spec.name = name;
    let mut stamps = value.stamps.clone();
    stamps.name = stamps.name.next(&write);
    SpecValue {
        write,
        base: Some(value.write.clone()),
        claim: None,
        stamps,
        spec: Arc::new(spec),
        extra: value.extra.clone(),
    }
}
