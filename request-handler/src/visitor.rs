//! Who asks.

/// Who asks, as far as that is known. It travels with the request, as an extension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// The code of the country, such as `DE`, if a trusted neighbour says it.
    pub(crate) country: Option<String>,
}
