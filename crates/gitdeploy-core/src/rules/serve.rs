//! The settings of a site that change how it is served.

use serde::{Deserialize, Serialize};

/// How a site is served, as `[serve]` of its `gitdeploy.toml` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Serve {
    /// Whose habits redirects follow.
    pub redirects: Dialect,
    /// The trailing slash of pages.
    pub html_handling: HtmlHandling,
    /// When an unknown path gets the front page.
    pub spa: Spa,
}

impl Serve {
    /// Whether nothing differs from the defaults.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Whose habits redirects follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// A redirect is a 302, and a rule wins over a file.
    #[default]
    Cloudflare,
    /// A redirect is a 301, and a file wins over a rule unless the rule has `!`.
    Netlify,
}

impl Dialect {
    /// The status of a rule that names none.
    pub fn default_status(self) -> u16 {
        match self {
            Self::Cloudflare => 302,
            Self::Netlify => 301,
        }
    }
}

/// The trailing slash of pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HtmlHandling {
    /// As the file lies: `a.html` is `/a`, `a/index.html` is `/a/`.
    #[default]
    Auto,
    /// Always one.
    Force,
    /// Never one.
    Drop,
    /// Paths are files.
    None,
}

/// When an unknown path gets the front page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spa {
    /// Where a page is asked for and the site has no `404.html`.
    #[default]
    Auto,
    /// Always.
    All,
    /// Never.
    Off,
}
