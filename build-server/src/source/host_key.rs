//! Whether an SSH server is who it should be: keys of hosts, as `known_hosts` files have them.

use gitdeploy_core::hash::Sha256;
use gitdeploy_core::spec::git::KNOWN_HOSTS;
use gitdeploy_core::{Failure, FailureCode};

use super::address::Address;
use crate::stop::Stop;

/// The fingerprints that the large forges publish: at docs.github.com ("GitHub's SSH key fingerprints"),
/// docs.gitlab.com ("SSH host keys fingerprints"), support.atlassian.com ("Configure SSH") and docs.codeberg.org
/// ("Verifying Codeberg's SSH fingerprints"). Each has an Ed25519, an ECDSA and an RSA key.
const PUBLISHED: &[(&str, [&str; 3])] = &[
    (
        "github.com",
        [
            "+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
            "p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
            "uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s",
        ],
    ),
    (
        "gitlab.com",
        [
            "eUXGGm1YGsMAS7vkcx6JOJdOGHPem5gQp4taiCfCLB8",
            "HbW3g8zUjNSksFbqTiUWPWg2Bq1x8xdGUrliXFzSnUw",
            "ROQFvPThGrW4RuWLoL9tq9I9zJ42fK4XywyRtbOz/EQ",
        ],
    ),
    (
        "bitbucket.org",
        [
            "ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
            "FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
            "46OSHA1Rmj8E8ERTC6xkNcmGOw9oFxYr0WF6zWW8l1E",
        ],
    ),
    (
        "codeberg.org",
        [
            "mIlxA9k46MmM6qdJOdMnAQpzGxF4WIVVL+fj+wZbw0g",
            "T9FYDEHELhVkulEKKwge5aVhVTbqCW0MIRwAfpARs/E",
            "6QQmYi4ppFS4/+zSZ5S4IU+4sa6rwvQ4PbhCtPEBekQ",
        ],
    ),
];

/// What is known of a key that a server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Known,
    /// The server is known by other keys only.
    Changed,
    /// Nothing is known of the server here.
    Unknown,
}

/// The key that a server has shown.
#[derive(Debug, Clone)]
pub(super) struct HostKey {
    /// As it is sent: the kind with its length, then the key (RFC 4253, section 6.6).
    pub(super) blob: Vec<u8>,
}

impl HostKey {
    /// Looks in `lines`, then among what the forges publish.
    pub(super) fn judge(&self, lines: &str, address: &Address) -> Verdict {
        let name = name_in_file(address);
        let shown = base64(&self.blob);
        let mut verdict = Verdict::Unknown;
        for line in lines.lines().map(str::trim).filter(|line| !line.starts_with(['#', '@'])) {
            let mut words = line.split_ascii_whitespace();
            let (Some(hosts), Some(_), Some(key)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            if hosts.split(',').any(|host| host.eq_ignore_ascii_case(&name)) {
                if key.trim_end_matches('=') == shown.trim_end_matches('=') {
                    return Verdict::Known;
                }
                verdict = Verdict::Changed;
            }
        }
        if verdict == Verdict::Unknown && address.port == 22 {
            let forge = PUBLISHED.iter().find(|(host, _)| host.eq_ignore_ascii_case(&address.host));
            if let Some((_, fingerprints)) = forge {
                let fingerprint = self.fingerprint();
                let is_known = fingerprints.iter().any(|known| *known == fingerprint);
                return if is_known { Verdict::Known } else { Verdict::Changed };
            }
        }
        verdict
    }

    /// SHA-256 in Base64 without padding, as `ssh-keygen -l` shows it after `SHA256:`.
    fn fingerprint(&self) -> String {
        base64(Sha256::of(&self.blob).as_bytes()).trim_end_matches('=').to_owned()
    }

    fn kind(&self) -> &str {
        let length = self.blob.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes) as usize);
        let kind = self.blob.get(4..4_usize.saturating_add(length)).unwrap_or_default();
        std::str::from_utf8(kind).unwrap_or_default()
    }

    /// Why the build ends, with what to compare and what to add.
    pub(super) fn refuse(&self, verdict: Verdict, address: &Address) -> Stop {
        let (host, print) = (&address.host, self.fingerprint());
        let cause = if verdict == Verdict::Changed {
            format!("the SSH server `{host}` shows another key than the one that is known: SHA256:{print}")
        } else {
            format!("the SSH server `{host}` shows a key that nobody knows here: SHA256:{print}")
        };
        let line = format!("{} {} {}", name_in_file(address), self.kind(), base64(&self.blob));
        let fix = format!(
            "compare it with what the server's operator publishes; if it is the same, have the operator of this \
             platform add to `{KNOWN_HOSTS}` the line `{line}`"
        );
        Stop::author(Failure::new(FailureCode::CloneHostKey, cause).fix(fix))
    }
}

/// A host as `known_hosts` files write it.
fn name_in_file(address: &Address) -> String {
    if address.port == 22 { address.host.clone() } else { format!("[{}]:{}", address.host, address.port) }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |place: usize| usize::from(group.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = char::from(DIGITS[bits >> (18 - 6 * place) & 63]);
            text.push(if place <= group.len() { digit } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key in the lines below, as it is sent.
    fn key() -> HostKey {
        let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
        blob.extend(0_u8..32);
        HostKey { blob }
    }

    fn check(lines: &str, text: &str, expected: Verdict) {
        let address = Address::parse(text).unwrap();
        assert_eq!(key().judge(lines, &address), expected, "{lines} {text}");
    }

    #[test]
    fn a_line_decides_for_its_hosts_and_port() {
        let text = base64(&key().blob);
        let line = format!("# ours\nother.example,git.example ssh-ed25519 {text} me@here\n");
        check(&line, "git@git.example:r", Verdict::Known);
        check(&line, "git@GIT.example:r", Verdict::Known);
        check(&line, "ssh://git@git.example:2222/r", Verdict::Unknown);
        check(&line, "git@elsewhere.example:r", Verdict::Unknown);
        check(
            &format!("[git.example]:2222 ssh-ed25519 {text}"),
            "ssh://git@git.example:2222/r",
            Verdict::Known,
        );
        check("git.example ssh-ed25519 AAAAC3NzaC1lZDI1", "git@git.example:r", Verdict::Changed);
        check(&format!("@revoked git.example ssh-ed25519 {text}"), "git@git.example:r", Verdict::Unknown);
        check("git.example", "git@git.example:r", Verdict::Unknown);
    }

    #[test]
    fn a_forge_has_the_keys_that_it_publishes() {
        check("", "git@github.com:o/r", Verdict::Changed);
        // GitHub's Ed25519 key, as docs.github.com has it.
        let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
        blob.extend([
            0xe3, 0x2a, 0xaa, 0x79, 0x15, 0xce, 0xb9, 0xb4, 0x49, 0xd1, 0xba, 0x50, 0xea, 0x2a, 0x28, 0xbb,
            0x1a, 0x6e, 0x01, 0xf9, 0x0b, 0xda, 0x24, 0x5a, 0x2d, 0x1d, 0x87, 0x69, 0x7d, 0x18, 0xa2, 0x65,
        ]);
        let github = HostKey { blob };
        assert_eq!(github.judge("", &Address::parse("git@github.com:o/r").unwrap()), Verdict::Known);
        assert_eq!(github.judge("", &Address::parse("git@gitlab.com:o/r").unwrap()), Verdict::Changed);
    }

    #[test]
    fn a_refusal_says_the_line_to_add() {
        let address = Address::parse("ssh://git@git.example:2222/r").unwrap();
        let stop = key().refuse(Verdict::Unknown, &address);
        assert_eq!(stop.failure.code, FailureCode::CloneHostKey);
        let fix = stop.failure.fix.unwrap();
        let line = fix.rsplit('`').nth(1).unwrap();
        assert_eq!(key().judge(line, &address), Verdict::Known, "{line}");
    }
}
