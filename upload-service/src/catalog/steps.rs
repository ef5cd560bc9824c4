//! What each change does to a record, whichever backend keeps it. A step that is refused leaves the record
//! as it is.

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::{Attempt, Failure, Phase, State};
use jiff::Timestamp;

use super::changes::{Cancellation, Ending};
use super::record::{Deployment, Target, whole};

/// The longest text that a builder may add to a record, in bytes. DynamoDB takes 400 KB for all of a record.
const LONGEST_TEXT: usize = 8 * 1024;

impl Deployment {
    /// Whether its build runs.
    pub(super) fn runs(&self) -> bool {
        self.state.runs()
    }

    /// Whether the step from `before` to this makes it a candidate for production.
    pub(super) fn wants_promotion(&self, before: &Self) -> bool {
        let became_ready = before.state != State::Ready && self.state == State::Ready;
        became_ready && self.target == Target::Production
    }

    pub(super) fn claim(&mut self, now: Timestamp, lease: Timestamp, holder: &str) -> bool {
        if self.state != State::Queued {
            return false;
        }
        self.state = State::Starting;
        self.attempt = Attempt(self.attempt.0.saturating_add(1));
        self.started = Some(whole(now));
        self.hold(lease, holder);
        true
    }

    pub(super) fn renew(&mut self, attempt: Attempt, lease: Timestamp, holder: &str) -> bool {
        let renewed = self.runs_as(attempt) && self.holder.as_deref() == Some(holder);
        if renewed {
            self.lease = Some(whole(lease));
        }
        renewed
    }

    pub(super) fn take_over(&mut self, seen: &Self, now: Timestamp, lease: Timestamp, holder: &str) -> bool {
        let taken = self.runs_as(seen.attempt)
            && self.lease == seen.lease
            && self.lease.is_none_or(|promised| promised <= now);
        if taken {
            self.hold(lease, holder);
        }
        taken
    }

    pub(super) fn learn_task(&mut self, attempt: Attempt, task: &str) -> bool {
        let learned = self.runs_as(attempt);
        if learned {
            self.task = Some(short(task));
        }
        learned
    }

    pub(super) fn learn_commit(&mut self, attempt: Attempt, commit: &str) {
        if self.runs_as(attempt) {
            self.origin.commit = Some(short(commit));
        }
    }

    pub(super) fn bind(&mut self, attempt: Attempt, session: Sha256) -> bool {
        self.runs_as(attempt) && *self.session.get_or_insert(session) == session
    }

    pub(super) fn advance(&mut self, attempt: Attempt, phase: Phase) -> bool {
        let next = State::during(phase);
        let news = self.runs_as(attempt) && (self.state == next || self.state.may_become(next));
        if news {
            self.state = next;
            self.phase = Some(phase);
        }
        news
    }

    pub(super) fn restart(&mut self, attempt: Attempt) -> bool {
        let waits_already = self.state == State::Queued && self.attempt == attempt && attempt != Attempt(0);
        if waits_already && !self.cancel_requested {
            return true;
        }
        if !self.runs_as(attempt) || self.cancel_requested {
            return false;
        }
        self.state = State::Queued;
        self.phase = None;
        self.started = None;
        self.lease = None;
        self.holder = None;
        self.task = None;
        self.session = None;
        true
    }

    pub(super) fn finish(&mut self, attempt: Attempt, ending: &Ending, now: Timestamp) -> bool {
        let never_started = self.state == State::Queued && self.attempt == Attempt(0);
        let ours = self.attempt == attempt && (self.runs() || never_started);
        if !ours || !ending.state.is_final() {
            return false;
        }
        self.state = ending.state;
        self.finished = Some(whole(now));
        self.files = ending.files;
        self.bytes = ending.bytes;
        self.phase = if ending.state == State::Ready { None } else { ending.phase.or(self.phase) };
        self.failure = ending.failure.as_ref().map(|failure| Failure {
            code: failure.code,
            cause: short(&failure.cause),
            fix: failure.fix.as_deref().map(short),
            hint: failure.hint.as_deref().map(short),
        });
        self.lease = None;
        let (known, found) = (&mut self.origin, &ending.origin);
        // What was asked for stands; what the build found out is nearer to the truth than what was announced.
        known.repository = known.repository.take().or_else(|| found.repository.as_deref().map(short));
        known.reference = known.reference.take().or_else(|| found.reference.as_deref().map(short));
        known.commit = found.commit.as_deref().map(short).or_else(|| known.commit.take());
        known.message = found.message.as_deref().map(short).or_else(|| known.message.take());
        true
    }

    pub(super) fn cancel(&mut self, failure: &Failure, now: Timestamp) -> Cancellation {
        if self.state.is_final() {
            return Cancellation::AlreadyFinal;
        }
        self.cancel_requested = true;
        if self.state != State::Queued {
            return Cancellation::Requested;
        }
        self.state = State::Canceled;
        self.finished = Some(whole(now));
        self.failure = Some(failure.clone());
        Cancellation::Canceled
    }

    fn hold(&mut self, lease: Timestamp, holder: &str) {
        self.lease = Some(whole(lease));
        self.holder = Some(holder.to_owned());
    }

    fn runs_as(&self, attempt: Attempt) -> bool {
        self.runs() && self.attempt == attempt
    }
}

/// The text, or its beginning where it is longer than a record takes.
fn short(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST_TEXT)].to_owned()
}

#[cfg(test)]
mod tests {
    use gitdeploy_core::manifest::Origin;
    use gitdeploy_core::spec::BuildSettings;

    use super::*;
    use crate::catalog::{NewDeployment, SourceKind};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn claimed() -> Deployment {
        let mut deployment = Deployment::new(NewDeployment {
            id: "06gzr1vtp7njn36zcgxy".parse().unwrap(),
            project: "blog".parse().unwrap(),
            target: Target::Production,
            source: SourceKind::Git,
            origin: Origin::default(),
            settings: BuildSettings::default(),
            created: at(0),
        });
        assert!(deployment.claim(at(1), at(30), "one"));
        deployment
    }

    #[test]
    fn who_has_lost_a_build_to_another_does_not_renew() {
        let mut deployment = claimed();
        let first = Attempt::FIRST;
        assert!(deployment.renew(first, at(35), "one"));
        assert!(!deployment.renew(first, at(90), "other"));
        let seen = deployment.clone();
        assert!(!deployment.take_over(&seen, at(34), at(70), "other"));
        assert!(deployment.take_over(&seen, at(35), at(70), "other"));
        assert!(!deployment.renew(first, at(90), "one"));
        assert!(deployment.renew(first, at(90), "other"));
        assert_eq!(deployment.lease, Some(at(90)));
    }

    #[test]
    fn a_restart_may_be_repeated_until_the_next_attempt_has_begun() {
        let mut deployment = claimed();
        assert!(deployment.restart(Attempt::FIRST));
        let waits = deployment.clone();
        assert!(deployment.restart(Attempt::FIRST));
        assert_eq!(deployment, waits);
        assert!(deployment.claim(at(40), at(70), "other"));
        assert!(!deployment.restart(Attempt::FIRST));
        deployment.cancel_requested = true;
        assert!(!deployment.restart(deployment.attempt));
    }
}
