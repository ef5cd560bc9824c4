//! What a store does with the conditions of writes.

/// What came of asking a store for conditional writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conditions {
    /// It keeps them: of several writers that start from the same state exactly one wins.
    Kept,
    /// It writes although the condition does not hold.
    Ignored {
        /// The header that says the condition.
        header: &'static str,
    },
    /// It keeps them only as long as nobody else writes: it looks and writes in two steps.
    Raced {
        /// The header that says the condition.
        header: &'static str,
    },
    /// It does not write although the condition holds.
    Refused {
        /// The header that says the condition.
        header: &'static str,
        /// What it said.
        reason: String,
    },
}
