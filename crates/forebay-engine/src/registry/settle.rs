//! Answers calls as the tail reads their records back.

use actix::Context;

use super::actor::TaskRegistryActor;
use super::call::Wanted;
use super::log_record::SpecValue;
use super::merge::join;
use super::read_back::{Verdict, judge, judge_state};
use super::repair::Repair;
use super::table::Applied;

impl TaskRegistryActor {
    /// Judges the calls that the record just applied decides.
    pub(super) fn read_back(&self, applied: &Applied, verdicts: &mut Vec<(u64, Verdict)>) {
        if let Some(id) = applied
            .write
            .as_ref()
            .and_then(|write| self.calls.of_write(write))
            && let Some(call) = self.calls.get(id)
            && call.refusal.is_none()
        {
            verdicts.push((id, judge(&self.table, call, applied)));
        }
        if applied.tombstone && self.table.task(&applied.task).is_none() {
            // Ours or another replica's: the task is gone, as was asked.
            let deletes = self
                .calls
                .ids(|call| call.task == applied.task && matches!(call.wanted, Wanted::Delete(_)));
            for id in deletes {
                if let Some(call) = self.calls.get(id) {
                    verdicts.push((id, judge_state(&self.table, call)));
                }
            }
        }
    }

    /// Judges acknowledged calls whose record the tail has passed without
    /// seeing it: a later record of its key made compaction remove it.
    ///
    /// That later record may lie ahead of the tail, but below the high
    /// watermark of the read that skipped ours: only there does the table tell.
    pub(super) fn judge_passed(&mut self, ctx: &mut Context<Self>) {
        let position = self.table.position();
        let passed = self.calls.ids(|call| {
            call.refusal.is_none() && call.stored_at.is_some_and(|offset| offset < position)
        });
        for id in passed {
            let Some(call) = self.calls.get_mut(id) else {
                continue;
            };
            if *call.settles_at.get_or_insert(self.high_watermark) <= position {
                self.judge_now(id, ctx);
            }
        }
    }

    fn judge_now(&mut self, id: u64, ctx: &mut Context<Self>) {
        if let Some(call) = self.calls.get(id) {
            let verdict = judge_state(&self.table, call);
            self.conclude(id, verdict, ctx);
        }
    }

    pub(super) fn conclude(&mut self, id: u64, verdict: Verdict, ctx: &mut Context<Self>) {
        match verdict {
            Verdict::NotYet => {}
            Verdict::Done(reply) => self.answer(id, reply, ctx),
            Verdict::Merge(value) => self.merge(id, &value, ctx),
            Verdict::Refuse(refusal, kind) => {
                let Some(call) = self.calls.get_mut(id) else {
                    return;
                };
                call.refusal = Some(refusal);
                let task = call.task.clone();
                match self.repairs.get_mut(&task) {
                    Some(repair) => repair.absorb(kind),
                    None => {
                        self.repairs.insert(task, Repair::due(kind));
                    }
                }
                self.run_repairs(ctx);
            }
        }
    }

    /// Writes what the table lacks of `value`, and lets the call wait for it.
    /// The table has moved on since the verdict: another call's merge may have
    /// come first, and then there is nothing left to write.
    fn merge(&mut self, id: u64, value: &SpecValue, ctx: &mut Context<Self>) {
        let Some(task) = self.calls.get(id).map(|call| call.task.clone()) else {
            return;
        };
        let latest = self.table.spec_value(&task).zip(self.table.live(&task));
        // A join always states its claim.
        let joined = latest.and_then(|(latest, (_, claim))| {
            join((value, value.claim.unwrap_or(claim)), (latest, claim))
        });
        match joined {
            Some(joined) => {
                self.calls.rewrite(id, joined.write.clone());
                self.append_for_call(id, joined.write.clone(), vec![joined.to_record()], ctx);
            }
            None => self.judge_now(id, ctx),
        }
    }

    /// After a load nobody saw the records go by: what the table shows of a
    /// call's write decides.
    pub(super) fn judge_loaded(&mut self, recreated: bool, ctx: &mut Context<Self>) {
        for id in self.calls.ids(|call| call.refusal.is_none()) {
            let Some(call) = self.calls.get_mut(id) else {
                continue;
            };
            let shown = match &call.wanted {
                Wanted::Delete(_) => self.table.task(&call.task).is_none(),
                Wanted::Run(_) => self.table.run_write(&call.task) == Some(&call.write),
                Wanted::Create | Wanted::Modify { .. } => {
                    let value = self.table.spec_value(&call.task);
                    value.is_some_and(|value| value.write == call.write)
                }
            };
            call.settles_at = None;
            if shown {
                self.judge_now(id, ctx);
            } else if recreated && call.stored_at.take().is_some() {
                call.uncertain = Some("the registry's log was cut or recreated meanwhile".into());
            }
        }
        self.judge_passed(ctx);
    }
}
