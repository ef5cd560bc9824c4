//! The cookie of a visitor who has given the password: until when it opens the site, signed with the password's hash,
//! which only they know who may write routes and who serves them. With another password all cookies are void.

use gitdeploy_core::{Password, hash};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use crate::site_name::SiteName;

/// The cookie where everybody could have set it on the way.
const PLAIN: &str = "gitdeploy-password";

/// The cookie where visits are encrypted: browsers take it from this very host only, over TLS (RFC 6265bis §4.1.3.2).
const SECURE: &str = "__Host-gitdeploy-password";

/// How long a visitor is not asked again.
const HOLDS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The value of `Set-Cookie` for a visitor who has given the password.
pub(super) fn set(is_secure: bool, password: &Password, site: &SiteName, now: Timestamp) -> HeaderValue {
    let until = (now + HOLDS).as_second();
    let signature = hash::hexadecimal(&signed(password, site, until).finalize().into_bytes());
    let (name, age) = (name(is_secure), HOLDS.as_secs());
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{name}={until}.{signature}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("it has digits, and words of ours")
}

/// Whether one of the cookies opens a site. A neighbour below the same domain may have set others of the same name.
pub(super) fn opens(
    headers: &HeaderMap,
    is_secure: bool,
    password: &Password,
    site: &SiteName,
    now: Timestamp,
) -> bool {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    cookies.any(|(key, value)| key == name(is_secure) && holds(value, password, site, now))
}

fn name(is_secure: bool) -> &'static str {
    if is_secure { SECURE } else { PLAIN }
}

fn holds(value: &str, password: &Password, site: &SiteName, now: Timestamp) -> bool {
    let Some((until, signature)) = value.split_once('.') else { return false };
    let (Ok(until), Ok(signature)) = (until.parse::<i64>(), signature.parse::<hash::Sha256>()) else {
        return false;
    };
    until > now.as_second() && signed(password, site, until).verify_slice(signature.as_bytes()).is_ok()
}

fn signed(password: &Password, site: &SiteName, until: i64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(password.hash.as_bytes()).expect("a key has any length");
    mac.update(format!("{PLAIN} {site} {until}").as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text, [1; 16]).unwrap()
    }

    fn site(text: &str) -> SiteName {
        let Ok(name) = text.parse();
        name
    }

    /// Whether `lines` open the site `name` at `now`.
    fn opens(lines: &[&str], is_secure: bool, password: &Password, name: &str, now: Timestamp) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        super::opens(&headers, is_secure, password, &site(name), now)
    }

    #[test]
    fn a_cookie_opens_the_site_it_was_made_for_until_it_is_over() {
        let (begin, secret) = (Timestamp::UNIX_EPOCH, password("correct horse"));
        let set = |is_secure| set(is_secure, &secret, &site("blog"), begin).to_str().unwrap().to_owned();
        let (plain, secure) = (set(false), set(true));
        assert!(plain.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"), "{plain}");
        assert!(secure.starts_with("__Host-gitdeploy-password=604800."), "{secure}");
        assert!(secure.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure"), "{secure}");
        let plain = plain.split(';').next().unwrap();
        let secure = secure.split(';').next().unwrap();
        let ask = |line: &str, name: &str, now| opens(&[line], false, &secret, name, now);
        assert!(ask(plain, "blog", begin));
        assert!(ask(plain, "blog", begin + HOLDS - SignedDuration::from_secs(1)));
        assert!(!ask(plain, "blog", begin + HOLDS), "it is over");
        assert!(!ask(plain, "docs", begin), "another site");
        assert!(!ask(plain, "blog.example.com", begin), "another host");
        assert!(!opens(&[plain], false, &password("another horse"), "blog", begin), "another password");
        let salted = Password::new("correct horse", [2; 16]).unwrap();
        assert!(!opens(&[plain], false, &salted, "blog", begin), "the same password, set again");
        assert!(opens(&[secure], true, &secret, "blog", begin));
        assert!(!opens(&[plain], true, &secret, "blog", begin), "anybody on the way could have set it");
    }

    #[test]
    fn others_of_the_same_name_do_not_matter() {
        let (begin, secret) = (Timestamp::UNIX_EPOCH, password("correct horse"));
        let set = set(false, &secret, &site("blog"), begin);
        let good = set.to_str().unwrap().split(';').next().unwrap();
        let opens = |lines: &[&str]| opens(lines, false, &secret, "blog", begin);
        assert!(opens(&[&format!("a=b; {PLAIN}=x;{good} ; c=d")]));
        assert!(opens(&["a=b", &format!("{PLAIN}=1.{}", "0".repeat(64)), good]));
        assert!(!opens(&[&good.replace(PLAIN, "other")]));
    }

    #[test]
    fn what_was_not_signed_opens_nothing() {
        let (begin, secret) = (Timestamp::UNIX_EPOCH, password("correct horse"));
        let set = set(false, &secret, &site("blog"), begin);
        let good = set.to_str().unwrap().split(';').next().unwrap();
        let (start, signature) = good.split_once('.').unwrap();
        for forged in [
            format!("{start}0.{signature}"),
            format!("{start}.{}", &signature[1..]),
            format!("{start}.{signature}0"),
            format!("{start}.{}", "0".repeat(64)),
            format!("{start}.{}", "é".repeat(32)),
            format!("{PLAIN}={}.{signature}", "9".repeat(10_000)),
            format!("{PLAIN}=.{signature}"),
            format!("{PLAIN}="),
            start.to_owned(),
            PLAIN.to_owned(),
        ] {
            assert!(!opens(&[&forged], false, &secret, "blog", begin), "{forged}");
        }
    }
}
