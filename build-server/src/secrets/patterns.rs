//! What looks like a secret whoever it belongs to: logins in addresses, tokens of forges and registries, keys of
//! AWS. All begin with something that is looked for in the same pass as the secrets that are known.

use std::ops::Range;

/// How far behind its beginning a pattern looks, in bytes.
const REACH: usize = 512;

/// How long a name must be that stands before a host without a password, to be a token.
const TOKEN_AS_NAME: usize = 16;

/// What may be the beginning of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Of an address, in front of its host.
    Address,
    /// Of a token: at least so many characters follow.
    Token { least: usize, dashes: bool },
    /// Of the name of a key of AWS.
    AwsKey,
    /// The end of the name under which a key of AWS is kept.
    AwsSecret,
    /// Of the first or last line of a private key.
    PrivateKey,
}

const fn token(least: usize) -> Mark {
    Mark::Token { least, dashes: false }
}

const fn dashed(least: usize) -> Mark {
    Mark::Token { least, dashes: true }
}

/// What is looked for, and what it may begin.
pub(super) const MARKS: &[(&str, Mark)] = &[
    ("://", Mark::Address),
    ("-----BEGIN ", Mark::PrivateKey),
    ("-----END ", Mark::PrivateKey),
    ("AKIA", Mark::AwsKey),
    ("ASIA", Mark::AwsKey),
    ("ecret_access_key", Mark::AwsSecret),
    ("ecretAccessKey", Mark::AwsSecret),
    ("ECRET_ACCESS_KEY", Mark::AwsSecret),
    // GitHub
    ("ghp_", token(36)),
    ("gho_", token(36)),
    ("ghu_", token(36)),
    ("ghs_", token(36)),
    ("ghr_", token(36)),
    ("github_pat_", dashed(22)),
    // GitLab
    ("glpat-", dashed(20)),
    ("gldt-", dashed(20)),
    ("glptt-", dashed(20)),
    ("glrt-", dashed(20)),
    ("glcbt-", dashed(20)),
    // Bitbucket, npm, PyPI, Docker, Slack, Stripe
    ("ATBB", token(32)),
    ("npm_", token(36)),
    ("pypi-AgE", dashed(50)),
    ("dckr_pat_", dashed(24)),
    ("xoxb-", dashed(24)),
    ("xoxp-", dashed(24)),
    ("sk_live_", token(24)),
    ("rk_live_", token(24)),
];

impl Mark {
    /// What of `text` is a secret, if the mark at `mark` begins one.
    pub(super) fn secret(self, text: &[u8], mark: Range<usize>) -> Option<Range<usize>> {
        let begins_word = mark.start == 0 || !text[mark.start - 1].is_ascii_alphanumeric();
        let rest = &text[mark.end..text.len().min(mark.end + REACH)];
        let run = |is_part: fn(u8) -> bool| rest.iter().take_while(|byte| is_part(**byte)).count();
        match self {
            Self::Address => login(rest).map(|length| mark.end..mark.end + length),
            Self::Token { least, dashes } => {
                let length = run(if dashes { is_dashed } else { is_alphanumeric });
                (begins_word && length >= least).then(|| mark.start..mark.end + length)
            }
            Self::AwsKey => {
                let is_key =
                    begins_word && run(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) == 16;
                let ends_word = !rest.get(16).is_some_and(u8::is_ascii_alphanumeric);
                (is_key && ends_word).then(|| mark.start..mark.end + 16)
            }
            Self::AwsSecret => {
                let between = run(|byte| b" \t\"'\\:=>".contains(&byte));
                let length = rest[between..].iter().take_while(|byte| is_base64(**byte)).count();
                (length == 40).then(|| mark.end + between..mark.end + between + 40)
            }
            Self::PrivateKey => None,
        }
    }
}

/// Whether a token is no example: it has at least so many different characters.
pub(super) fn is_random(token: &[u8], characters: usize) -> bool {
    let mut seen = [false; 256];
    for byte in token {
        seen[usize::from(*byte)] = true;
    }
    let is_example = token.windows(7).any(|part| part.eq_ignore_ascii_case(b"example"));
    seen.iter().filter(|seen| **seen).count() >= characters && !is_example
}

pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

/// How much of an address after `://` is a name with its password, or a token in the place of a name.
fn login(rest: &[u8]) -> Option<usize> {
    let ends =
        |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control() || b"/?#\"'`<>\\".contains(byte);
    let authority = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
    let login = &authority[..memchr::memrchr(b'@', authority)?];
    let has_password = memchr::memchr(b':', login).is_some_and(|colon| colon + 1 < login.len());
    (has_password || login.len() >= TOKEN_AS_NAME).then_some(login.len())
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_dashed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}
