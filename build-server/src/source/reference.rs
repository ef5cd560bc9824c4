//! What is to be fetched, and which commit that is.

use git2::{ErrorCode, ObjectType, Oid, RemoteHead, Repository};
use gitdeploy_core::{Failure, FailureCode};

use super::problem::Problem;
use crate::stop::Stop;

/// Where the fetched commits are kept; without a name they would be no part of the repository.
pub(super) const FETCHED: &str = "refs/gitdeploy";

/// The fewest digits by which a commit may be named, as git itself has it.
const FEWEST_DIGITS: usize = 7;

/// What is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The branch that the server names.
    Default,
    /// A branch or a tag, or if there is none, perhaps the start of a commit's id.
    Name(String),
    Commit(Oid),
}

/// A commit, and by which references it is fetched.
#[derive(Debug, Clone)]
pub(super) struct Tip {
    pub(super) refspecs: Vec<String>,
    pub(super) commit: Oid,
    /// The branch or tag, as people call it.
    pub(super) name: Option<String>,
}

impl Wanted {
    pub(super) fn of(reference: Option<&str>) -> Self {
        match reference {
            None => Self::Default,
            Some(text) => match Oid::from_str(text) {
                Ok(commit) if text.len() == 40 => Self::Commit(commit),
                _ => Self::Name(text.to_owned()),
            },
        }
    }

    /// Finds it among what the server names.
    pub(super) fn among(&self, heads: &[RemoteHead<'_>]) -> Result<Option<Tip>, Problem> {
        if heads.is_empty() {
            let failure = Failure::new(FailureCode::CloneEmpty, "the repository has no commit");
            return Err(Stop::author(failure.fix("push a commit, then deploy again")).into());
        }
        let find = |full: &str| heads.iter().find(|head| head.name() == full);
        match self {
            Self::Default => {
                let head = find("HEAD");
                let branch = head.and_then(RemoteHead::symref_target).and_then(find);
                match (branch, head) {
                    (Some(branch), _) => Ok(Some(Tip::of(branch))),
                    (None, Some(head)) => Ok(Some(Tip { name: None, ..Tip::of(head) })),
                    (None, None) => Err(no_default_branch().into()),
                }
            }
            Self::Name(name) => {
                let full = [format!("refs/heads/{name}"), format!("refs/tags/{name}"), name.clone()];
                let mut full = full.iter().filter(|full| full.starts_with("refs/"));
                let named = full.find_map(|full| find(full));
                let named = named.or_else(|| {
                    let digits = self.digits()?;
                    let mut tips = heads.iter().filter(|head| head.oid().to_string().starts_with(&digits));
                    tips.next().filter(|first| tips.all(|other| other.oid() == first.oid()))
                });
                if named.is_none() && self.digits().is_none() {
                    return Err(self.missing().into());
                }
                Ok(named.map(Tip::of))
            }
            Self::Commit(commit) => {
                let mut tips = heads.iter().filter(|head| head.oid() == *commit);
                Ok(tips.find(|head| head.name().starts_with("refs/")).map(Tip::of))
            }
        }
    }

    /// A commit that is asked for by its id.
    pub(super) fn by_id(&self) -> Option<Tip> {
        let Self::Commit(commit) = *self else { return None };
        Some(Tip { refspecs: vec![format!("+{commit}:{FETCHED}/fetched")], commit, name: None })
    }

    /// Finds a commit among all that was fetched.
    pub(super) fn found_in(
        &self,
        repository: &Repository,
        refspecs: &[String],
    ) -> Result<Option<Tip>, Problem> {
        let found = if let Self::Commit(commit) = self {
            repository.find_commit(*commit)
        } else {
            repository.find_commit_by_prefix(&self.digits().unwrap_or_default())
        };
        match found {
            Ok(commit) => Ok(Some(Tip { refspecs: refspecs.to_vec(), commit: commit.id(), name: None })),
            Err(error) if error.code() == ErrorCode::Ambiguous => {
                let cause = format!("more than one commit begins with `{}`", self.text());
                let failure = Failure::new(FailureCode::CloneReference, cause);
                Err(Stop::author(failure.fix("give more digits of it")).into())
            }
            Err(_) => Ok(None),
        }
    }

    pub(super) fn missing(&self) -> Stop {
        let cause = format!("the repository has no branch, tag or commit `{}`", self.text());
        let fix = "check the spelling, and that it was pushed";
        Stop::author(Failure::new(FailureCode::CloneReference, cause).fix(fix))
    }

    /// The start of a commit's id, if it is written as one.
    fn digits(&self) -> Option<String> {
        let Self::Name(name) = self else { return None };
        let is_id =
            (FEWEST_DIGITS..40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| name.to_ascii_lowercase())
    }

    fn text(&self) -> String {
        match self {
            Self::Default => "HEAD".to_owned(),
            Self::Name(name) => name.clone(),
            Self::Commit(commit) => commit.to_string(),
        }
    }
}

impl Tip {
    fn of(head: &RemoteHead<'_>) -> Self {
        // Servers name the commit of an annotated tag too, by a name that cannot be fetched.
        let name = head.name().trim_end_matches("^{}");
        Self {
            refspecs: vec![format!("+{name}:{FETCHED}/fetched")],
            commit: head.oid(),
            name: Some(short(name).to_owned()),
        }
    }

    /// The same with the commit that an annotated tag is for.
    pub(super) fn in_repository(self, repository: &Repository, wanted: &Wanted) -> Result<Self, Problem> {
        let object = repository.find_object(self.commit, None);
        let commit =
            object.and_then(|object| object.peel(ObjectType::Commit)).map_err(|_| wanted.missing())?;
        Ok(Self { commit: commit.id(), ..self })
    }
}

fn no_default_branch() -> Stop {
    let cause = "the repository has no default branch";
    Stop::author(Failure::new(FailureCode::CloneReference, cause).fix("name a branch with `--ref`"))
}

fn short(reference: &str) -> &str {
    reference.strip_prefix("refs/heads/").or(reference.strip_prefix("refs/tags/")).unwrap_or(reference)
}
