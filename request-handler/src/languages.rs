//! What a visitor reads: `Accept-Language` (RFC 9110 §12.5.4).

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// How many languages of a visitor are looked at.
const MAX_LANGUAGES: usize = 32;

/// How gladly a visitor reads one of `languages`, which are in lower case: the weight in thousandths, or `None`.
///
/// `en` stands for `en-GB` too, on either side: an author who writes `en` means all of it, and a visitor who asks for
/// `en-GB` reads a page in plain English.
pub(crate) fn weight(headers: &HeaderMap, languages: &[String]) -> Option<u16> {
    let values = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let accepted = values.flat_map(|value| value.split(',')).take(MAX_LANGUAGES).filter_map(range);
    let weights = accepted.filter(|(range, _)| languages.iter().any(|language| is_of(range, language)));
    weights.map(|(_, weight)| weight).filter(|weight| *weight > 0).max()
}

/// A language and its weight in thousandths.
fn range(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let language = parts.next().filter(|language| !language.is_empty() && *language != "*")?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((language, weight.map_or(Some(1000), thousandths)?))
}

/// A weight: `0` to `1` with at most three digits behind the point (RFC 9110 §12.4.2).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let is_number = digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let part: u16 = format!("{digits:0<3}").parse().ok().filter(|_| is_number)?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

fn is_of(range: &str, language: &str) -> bool {
    let main = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    if range.contains('-') && language.contains('-') {
        return range.eq_ignore_ascii_case(language);
    }
    main(range) == main(language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_is_that_of_the_best_language() {
        for (header, languages, expected) in [
            ("en", &["en"][..], Some(1000)),
            ("fr", &["en"], None),
            ("en-GB,en", &["en"], Some(1000)),
            ("en", &["en-gb"], Some(1000)),
            ("en-US", &["en-gb"], None),
            ("EN-gb", &["en-gb"], Some(1000)),
            ("fr, de;q=0.5, en;q=0.25", &["en", "de"], Some(500)),
            ("de;q=0", &["de"], None),
            ("de;q=2, en;q=0.1234", &["de", "en"], None),
            ("*", &["de"], None),
            (" , ;q=1,de ; q=0.3", &["de"], Some(300)),
            ("ende", &["en"], None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, header.parse().unwrap());
            let languages: Vec<_> = languages.iter().map(ToString::to_string).collect();
            assert_eq!(weight(&headers, &languages), expected, "{header} {languages:?}");
        }
    }
}
