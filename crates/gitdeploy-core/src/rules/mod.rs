//! The rules of a site, as its author wrote them: redirects, headers, and the settings of serving.
//!
//! The text of `_redirects` and `_headers` comes from a repository, so it may be anything. What is not understood
//! is refused by line, with a reason, and the rest holds. What is parsed lies in the manifest and is all that is
//! needed to serve.

mod address;
mod headers;
mod pattern;
mod problem;
mod redirects;
mod serve;
mod template;

pub use address::{encode, rule_path, split};
pub use headers::{HeaderRule, Headers, is_of_the_server, parse as parse_headers};
pub use pattern::{Captures, Pattern};
pub use problem::{Problem, Problems, Refusal};
pub use redirects::{Draft, Redirect, Redirects, is_status, parse as parse_redirects};
pub use serve::{Dialect, HtmlHandling, Serve, Spa};
pub use template::Template;
