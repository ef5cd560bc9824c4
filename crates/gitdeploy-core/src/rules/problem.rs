//! What is wrong in a file of rules, by line.

use serde::{Deserialize, Serialize};

/// The longest line that is read, in characters.
const LONGEST_LINE: usize = 2000;

/// How many problems of one file are kept: who has more of them reads the first.
const MAX_PROBLEMS: usize = 200;

/// How much of a text is shown, in characters.
const SHOWN: usize = 60;

/// What is wrong in a file of rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// The number of the line, from 1; absent if the file as a whole is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What is wrong and what to do.
    pub reason: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "`{}`, line {line}: {}", self.file, self.reason),
            None => write!(formatter, "`{}`: {}", self.file, self.reason),
        }
    }
}

/// The problems of one file: the first are kept, the others counted.
#[derive(Debug)]
pub struct Problems {
    file: String,
    kept: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// None yet, of the file with this name.
    pub fn of(file: &str) -> Self {
        Self { file: file.to_owned(), kept: Vec::new(), more: 0 }
    }

    /// Adds what is wrong in a line, or in the whole file.
    pub fn add(&mut self, line: impl Into<Option<u32>>, reason: impl std::fmt::Display) {
        if self.kept.len() == MAX_PROBLEMS {
            self.more += 1;
            return;
        }
        let problem = Problem { file: self.file.clone(), line: line.into(), reason: reason.to_string() };
        self.kept.push(problem);
    }

    /// The list, with a last entry that says how many are missing.
    pub fn into_list(mut self) -> Vec<Problem> {
        if self.more > 0 {
            let reason = format!("{} more problems are not listed", self.more);
            self.kept.push(Problem { file: self.file, line: None, reason });
        }
        self.kept
    }
}

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("the line is longer than {0} characters")]
    LongLine(usize),
    #[error("the line is not UTF-8: save the file as UTF-8")]
    NotUtf8,
    #[error("a control character stands in the line")]
    Control,
    #[error("the target is missing: write `{0} /target`")]
    NoTarget(String),
    #[error(
        "`{0}` is neither a condition like `key=value` nor a target, which begins with `/` or `https://`"
    )]
    NotATarget(String),
    #[error("`{0}` cannot follow the target: a status like `301` or `200!` comes next, then conditions")]
    Surplus(String),
    #[error("the status {0} is not one of 200, 301, 302, 303, 307, 308, 403, 404, 410, 418, 451 and 503")]
    Status(String),
    #[error("`{0}` is no condition that we know: there are `Country=` and `Language=`")]
    Condition(String),
    #[error("roles are not supported, so nobody has the one that the rule asks for")]
    Role,
    #[error("`{0}=` names nothing: write for example `{0}=de,at`")]
    EmptyCondition(String),
    #[error("the condition `{0}` has no name before `=`")]
    UnnamedQuery(String),
    #[error("a rule with the same source stands in line {0}, which counts")]
    Duplicate(u32),
    #[error("there are more than {0} rules without `*` and placeholders")]
    TooManyFixed(usize),
    #[error("there are more than {0} rules with `*` or placeholders")]
    TooManyDynamic(usize),
    #[error("a target with the status {status} must lie in this site: write a path instead of `{to}`")]
    RewriteOutside { status: u16, to: String },
    #[error("a target may not begin with `//`, which leads to another site: write `https://` and its host")]
    ProtocolRelative,
    #[error("the target `{0}` has no host")]
    NoHost(String),
    #[error("the rule leads in a circle: `{0}` is served at a path to which the rule applies")]
    Circle(String),
    #[error("the paths below `/.netlify/` are reserved")]
    Reserved,

    #[error("`*` stands more than once: only one is possible in a rule")]
    Splats,
    #[error("a placeholder cannot stand after `*`: `{0}`")]
    AfterSplat(String),
    #[error("a placeholder and `*` cannot share a part of the path: `{0}`")]
    SharedWithSplat(String),
    #[error("two placeholders follow each other in `{0}`: put something between them")]
    Adjacent(String),
    #[error("the placeholder `:{0}` stands twice")]
    Twice(String),
    #[error("`{0}` is no host name")]
    Host(String),
    #[error("a port cannot stand in the source of a rule: `{0}`")]
    Port(String),
    #[error("the source must begin with `https://` where it names a host")]
    Scheme,

    #[error("a header stands before the first path")]
    HeaderBeforePath,
    #[error("`{0}` is neither a path, which begins with `/`, nor a header like `Name: value`")]
    NotAHeader(String),
    #[error("`{0}` is no name of a header")]
    HeaderName(String),
    #[error("the header `{0}` has no value; to take a header away write `! {0}`")]
    EmptyValue(String),
    #[error("the header `{0}` belongs to the server")]
    OfTheServer(String),
    #[error("a cookie belongs to its host alone: leave `Domain` away")]
    CookieDomain,
    #[error("a cookie cannot be made of parts of the path")]
    CookieTemplate,
    #[error("the path `{0}` has no headers")]
    NoHeaders(String),
    #[error("there are more than {0} paths")]
    TooManyPaths(usize),
    #[error("the path has more than {0} headers")]
    TooManyHeaders(usize),
}

/// `text` as it is quoted: not too long, and without control characters.
pub(super) fn shown(text: &str) -> String {
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    let mut shown: String = text.chars().map(plain).take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Refuses a line that no rule can be read from, of whichever file it is.
pub(super) fn check_line(line: &str) -> Result<(), Refusal> {
    if line.chars().nth(LONGEST_LINE).is_some() {
        return Err(Refusal::LongLine(LONGEST_LINE));
    }
    if line.contains(char::REPLACEMENT_CHARACTER) {
        return Err(Refusal::NotUtf8);
    }
    if line.chars().any(|character| character.is_control() && character != '\t') {
        return Err(Refusal::Control);
    }
    Ok(())
}
