//! Which texts are addresses of repositories, and what the project of one is called.

use gitdeploy_core::ProjectId;
use url::Url;

/// The schemes of addresses that are taken here. The builder may allow fewer.
const SCHEMES: &[&str] = &["https", "ssh", "http", "git"];

/// Why a text is no address of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("it is empty")]
    Empty,
    #[error("it is a path, and this service clones over the network only")]
    Path,
    #[error("it is no address of a git repository")]
    Malformed,
    #[error("only `https`, `ssh`, `http` and `git` addresses can be cloned")]
    Scheme,
    #[error("it holds a password or a token, which would be shown with every deployment")]
    Credentials,
}

impl AddressError {
    /// What to do about it.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Path => "deploy a directory with `gitdeploy deploy DIR`",
            Self::Credentials => "leave it out of the address",
            _ => "give an address such as `https://github.com/owner/repository`",
        }
    }
}

/// Checks the form of an address: a URL, or `user@host:path` as git knows it.
pub(crate) fn check(text: &str) -> Result<(), AddressError> {
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    if has_credentials(text) {
        return Err(AddressError::Credentials);
    }
    if text.starts_with("file:") || text.starts_with(['/', '.', '~', '\\']) {
        return Err(AddressError::Path);
    }
    if text.starts_with('-') || text.chars().any(|character| character.is_control() || character == ' ') {
        return Err(AddressError::Malformed);
    }
    if !text.contains("://") {
        return scp_like(text);
    }
    let url = Url::parse(text).map_err(|_| AddressError::Malformed)?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(AddressError::Scheme);
    }
    if url.host_str().is_none_or(str::is_empty) || url.path().trim_matches('/').is_empty() {
        return Err(AddressError::Malformed);
    }
    // Only over ssh is a user name no secret.
    if url.password().is_some() || (url.scheme() != "ssh" && !url.username().is_empty()) {
        return Err(AddressError::Credentials);
    }
    Ok(())
}

/// Whether the authority of a URL says who is asking, however wrong the rest of it is. Only over ssh is a
/// user name no secret.
fn has_credentials(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    // Browsers' parsers pass over further slashes (WHATWG URL, "special authority ignore slashes state").
    let rest = rest.trim_start_matches(['/', '\\']);
    let authority = rest.split('/').next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .is_some_and(|(user, _)| !scheme.trim().eq_ignore_ascii_case("ssh") || user.contains(':'))
}

/// The project of a repository: what the last segment of its address is called.
pub(crate) fn project(address: &str) -> Option<ProjectId> {
    let path = address.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let (_, name) = path.rsplit_once(['/', ':'])?;
    ProjectId::from_text(name.strip_suffix(".git").unwrap_or(name))
}

/// `[user@]host:path`. Without a colon before the first slash it is a path (git-clone(1), "GIT URLS").
fn scp_like(text: &str) -> Result<(), AddressError> {
    let Some((authority, path)) = text.split_once(':').filter(|(authority, _)| !authority.contains('/'))
    else {
        return Err(AddressError::Path);
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if path.contains('@') {
        return Err(AddressError::Credentials);
    }
    if host.is_empty() || path.trim_matches('/').is_empty() {
        return Err(AddressError::Malformed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_paths() {
        use AddressError::{Credentials, Empty, Malformed, Path, Scheme};
        for (text, expected) in [
            ("https://github.com/owner/repository.git", Ok(())),
            ("http://127.0.0.1:3000/a", Ok(())),
            ("git://host/a", Ok(())),
            ("ssh://git@host:22/a", Ok(())),
            ("git@github.com:owner/repository.git", Ok(())),
            ("", Err(Empty)),
            ("/srv/repository", Err(Path)),
            ("./repository", Err(Path)),
            ("../repository", Err(Path)),
            ("~/repository", Err(Path)),
            ("examples/vite-react", Err(Path)),
            ("repository", Err(Path)),
            ("file:///srv/repository", Err(Path)),
            ("https://", Err(Malformed)),
            ("https://host/", Err(Malformed)),
            ("https://host/a b", Err(Malformed)),
            ("https://host/a\nb", Err(Malformed)),
            ("--upload-pack=touch x", Err(Malformed)),
            ("host:", Err(Malformed)),
            ("ftp://host/a", Err(Scheme)),
            ("ext::sh -c x", Err(Malformed)),
            ("https://user:password@host/a", Err(Credentials)),
            ("https://token@host/a", Err(Credentials)),
            ("ftp://user:password@host/a", Err(Credentials)),
            ("https://user:password@host/", Err(Credentials)),
            ("https://user:password@host/a b", Err(Credentials)),
            ("https://user:pass word@host", Err(Credentials)),
            ("https:///user:password@host/", Err(Credentials)),
            ("file://user:password@host/a", Err(Credentials)),
            ("ssh://git:password@host/a", Err(Credentials)),
            ("user:password@host:a", Err(Credentials)),
        ] {
            assert_eq!(check(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_project_is_called_like_its_repository() {
        for (address, expected) in [
            ("https://github.com/owner/My.Site.git", Some("my-site")),
            ("https://github.com/owner/site/", Some("site")),
            ("git@host:site.git", Some("site")),
            ("git@host:owner/site", Some("site")),
            ("https://host/...", None),
        ] {
            assert_eq!(project(address).as_ref().map(ProjectId::as_str), expected, "{address}");
        }
    }
}
