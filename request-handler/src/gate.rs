//! Who may see a site: everybody, who knows its password, or nobody for a while.
//!
//! Whoever has given the password carries a cookie that says until when it holds, signed with a key that only who knows
//! the password's hash can make. Another password makes all of them void.

use gitdeploy_core::{OutputId, Password, Protection, hash};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

/// The name of the cookie.
const COOKIE: &str = "gitdeploy_access";

/// How long a visitor is not asked again.
const HOLDS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What stands before a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate<'a> {
    /// Nothing.
    Open,
    /// A password, which the visitor has given.
    Unlocked,
    /// This password.
    Locked(&'a Password),
    /// Work on the site.
    Maintenance,
}

/// What stands between a site and a visitor with these headers.
pub(crate) fn at<'a>(
    protection: &'a Protection,
    label: &OutputId,
    headers: &HeaderMap,
    now: Timestamp,
) -> Gate<'a> {
    if protection.maintenance {
        return Gate::Maintenance;
    }
    match &protection.password {
        None => Gate::Open,
        Some(password) if cookies(headers).any(|value| holds(password, label, value, now)) => Gate::Unlocked,
        Some(password) => Gate::Locked(password),
    }
}

/// The value of `Set-Cookie` for a visitor who has given the password.
pub(crate) fn set_cookie(password: &Password, label: &OutputId, is_secure: bool, now: Timestamp) -> String {
    let until = (now + HOLDS).as_second();
    let signature = hash::hexadecimal(&signed(password, label, until).finalize().into_bytes());
    let secure = if is_secure { "; Secure" } else { "" };
    let age = HOLDS.as_secs();
    format!("{COOKIE}={until}.{signature}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}")
}

/// The password in the body of the page's form.
pub(crate) fn given(body: &[u8]) -> Option<String> {
    let field = url::form_urlencoded::parse(body).find(|(name, _)| name == "password");
    field.map(|(_, value)| value.into_owned())
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

fn holds(password: &Password, label: &OutputId, value: &str, now: Timestamp) -> bool {
    let Some((until, signature)) = value.split_once('.') else { return false };
    let Ok(until) = until.parse::<i64>() else { return false };
    let Some(signature) = bytes(signature) else { return false };
    until > now.as_second() && signed(password, label, until).verify_slice(&signature).is_ok()
}

fn signed(password: &Password, label: &OutputId, until: i64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(password.hash.as_bytes()).expect("a key has any length");
    mac.update(format!("{label} {until}").as_bytes());
    mac
}

/// The bytes that 64 hexadecimal digits stand for.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let is_hash = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let pairs = (0..32).map(|index| u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok());
    is_hash.then(|| pairs.collect()).flatten()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text, [1; 16]).unwrap()
    }

    fn label(text: &str) -> OutputId {
        text.parse().unwrap()
    }

    #[test]
    fn a_cookie_opens_the_site_it_was_made_for_until_it_is_over() {
        let begin = Timestamp::UNIX_EPOCH;
        let protection = Protection { maintenance: false, password: Some(password("correct horse")) };
        let secret = protection.password.as_ref().unwrap();
        let ask = |protection: &Protection, site: &str, cookie: &str, now| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
            matches!(at(protection, &label(site), &headers, now), Gate::Unlocked)
        };
        let cookie = set_cookie(secret, &label("blog"), true, begin);
        assert!(cookie.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap();
        assert!(ask(&protection, "blog", cookie, begin));
        assert!(ask(&protection, "blog", &format!("a=b; {COOKIE}=x; {cookie}; c=d"), begin));
        assert!(!ask(&protection, "docs", cookie, begin), "another site");
        assert!(!ask(&protection, "blog", cookie, begin + HOLDS), "too late");
        let (start, signature) = cookie.split_once('.').unwrap();
        for forged in [
            format!("{start}0.{signature}"),
            format!("{start}.{}", &signature[1..]),
            format!("{start}.{}", "0".repeat(64)),
            format!("{start}.{}", "é".repeat(32)),
            start.to_owned(),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_bytes(forged.as_bytes()).unwrap());
            assert!(matches!(at(&protection, &label("blog"), &headers, begin), Gate::Locked(_)), "{forged}");
        }
        let other = Protection { password: Some(password("another horse")), ..protection.clone() };
        assert!(!ask(&other, "blog", cookie, begin), "another password");
        let closed = Protection { maintenance: true, ..protection };
        assert_eq!(at(&closed, &label("blog"), &HeaderMap::new(), begin), Gate::Maintenance);
        assert_eq!(at(&Protection::default(), &label("blog"), &HeaderMap::new(), begin), Gate::Open);
    }

    #[test]
    fn a_form_is_read() {
        assert_eq!(given(b"password=a+b%26%C3%BC").as_deref(), Some("a b&ü"));
        assert_eq!(given(b"other=1&password="), Some(String::new()));
        assert_eq!(given(b"\xff\xfe"), None);
    }
}
