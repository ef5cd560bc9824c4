//! What becomes of bytes, in whichever pieces they come.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::secrets::{Secret, seen};

fn secrets(values: &[&str]) -> Arc<Secrets> {
    let secret = |value: &&str| Secret { name: "TOKEN".to_owned(), value: (*value).to_owned() };
    Arc::new(Secrets::new(&values.iter().map(secret).collect::<Vec<_>>()).unwrap())
}

fn split_with(secrets: &Arc<Secrets>, pieces: &[&[u8]]) -> Vec<(String, Ending)> {
    let mut lines = Lines::new(secrets.clone());
    let mut told = Vec::new();
    let mut sink = |text: &[u8], ending| told.push((String::from_utf8_lossy(text).into_owned(), ending));
    for piece in pieces {
        lines.push(piece, &mut sink);
    }
    lines.finish(&mut sink);
    told
}

fn split(pieces: &[&[u8]]) -> Vec<(String, Ending)> {
    split_with(&secrets(&[]), pieces)
}

fn texts(pieces: &[(String, Ending)]) -> Vec<&str> {
    pieces.iter().map(|(text, _)| text.as_str()).collect()
}

#[test]
fn lines_end_where_they_should() {
    assert_eq!(texts(&split(&[b"one\ntwo\r\n\nthree"])), ["one", "two", "", "three"]);
    assert_eq!(texts(&split(&[b"on", b"e\nt", b"wo\r", b"\n"])), ["one", "two"]);
    assert!(split(&[b""]).is_empty());
}

#[test]
fn what_is_written_over_is_told_as_such() {
    use Ending::{Line, Return};
    let check = |pieces: &[&[u8]], expected: &[(&str, Ending)]| {
        let told = split(pieces);
        let told: Vec<_> = told.iter().map(|(text, ending)| (text.as_str(), *ending)).collect();
        assert_eq!(told, expected);
    };
    check(
        &[b"10%\r50%\r100%\n", b"done\r\n"],
        &[("10%", Return), ("50%", Return), ("100%", Line), ("done", Line)],
    );
    check(&[b"10%\r", b"20%\r", b"\n"], &[("10%", Return), ("20%", Line)]);
    check(
        &[b"1/2\x1b[1", b"G\x1b[0K2/2\x1b[G\x1b[K3"],
        &[("1/2", Return), ("\u{1b}[0K2/2", Return), ("\u{1b}[K3", Line)],
    );
    check(&[b"\x1b[10", b"Gx\x1b", b"[31my\n"], &[("\u{1b}[10Gx\u{1b}[31my", Line)]);
}

#[test]
fn a_character_may_come_in_two_pieces() {
    assert_eq!(texts(&split(&[b"\xC3", b"\xBC\n"])), ["ü"]);
    assert_eq!(texts(&split(&[b"a\xFFb\n", b"\xC3"])), ["a\u{FFFD}b", "\u{FFFD}"]);
}

#[test]
fn a_long_line_continues_and_keeps_its_characters_and_colours() {
    let long = "ü".repeat(80_000) + "\n";
    let text = "\u{1b}[38;5;123mü".repeat(20_000) + "\n";
    for text in [long, text] {
        for size in [1000, 70_000, 1_000_000] {
            let pieces: Vec<_> = text.as_bytes().chunks(size).collect();
            let told = split(&pieces);
            assert!(told.len() > 9);
            assert!(told.iter().all(|(line, _)| line.len() <= LONGEST && !line.contains('\u{FFFD}')));
            assert!(told.iter().all(|(line, _)| line.ends_with('ü')));
            assert_eq!(texts(&told).concat() + "\n", text);
            assert_eq!(told.iter().filter(|(_, ending)| *ending == Ending::Line).count(), 1);
        }
    }
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut lines = Lines::new(secrets(&["hunter2-hunter2"]));
    for byte in [b"x", &b"hunter2-hunter2"[..], b"\x1b[", b"\xBF", b"-----BEGIN PRIVATE KEY-----"] {
        let chunk = byte.repeat((256 << 10) / byte.len());
        for _ in 0..20 {
            lines.push(&chunk, |_, _| {});
            assert!(lines.partial.len() <= WINDOW, "{}", lines.partial.len());
        }
    }
}

const SECRETS: &[&str] = &["correct-horse/battery", "s3cr3t", "horse/battery-staple"];

/// What stands in texts, and what of it must not be told. Base64 and hexadecimal are as coreutils write them, of
/// secrets behind 0, 1 and 2 others.
const ENCODED: &[(&str, &str)] = &[
    ("Y29ycmVjdC1ob3JzZS9iYXR0ZXJ5", "Y29ycmVjdC1ob3JzZS9iYXR0ZXJ5"),
    ("eGNvcnJlY3QtaG9yc2UvYmF0dGVyeXk=", "NvcnJlY3QtaG9yc2UvYmF0dGVye"),
    ("eHhjb3JyZWN0LWhvcnNlL2JhdHRlcnl5eQ==", "jb3JyZWN0LWhvcnNlL2JhdHRlcn"),
    ("czNjcjN0", "czNjcjN0"),
    ("eHMzY3IzdHk=", "MzY3Izd"),
    ("eHhzM2NyM3R5eQ==", "zM2NyM3"),
    ("733363723374", "733363723374"),
    ("636F72726563742D686F7273652F62617474657279", "636F72726563742D686F7273652F62617474657279"),
    ("correct-horse%2Fbattery", "correct-horse%2Fbattery"),
    ("https://me:pa55@host/", "pa55"),
    ("npm_abcdefghijklmnopqrstuvwxyz0123456789", "npm_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("AKIAABCDEFGHIJKLMNOP", "AKIAABCDEFGHIJKLMNOP"),
];

/// What must not be told that is in `told`: in a line, in lines that continue each other, or in what is seen of them.
fn leaked(told: &[(String, Ending)]) -> Option<String> {
    let mut lines = vec![String::new()];
    for (text, ending) in told {
        lines.last_mut().unwrap().push_str(text);
        if *ending != Ending::Cut {
            lines.push(String::new());
        }
    }
    lines.into_iter().find(|line| {
        let seen = seen(line);
        let needles = SECRETS.iter().copied().chain(ENCODED.iter().map(|(_, needle)| *needle));
        needles.into_iter().any(|needle| line.contains(needle) || seen.contains(needle))
    })
}

/// Texts that are tricky wherever they are cut.
fn tricky() -> Vec<String> {
    let mut texts: Vec<String> = SECRETS.iter().map(|secret| format!("before {secret} after\n")).collect();
    texts.extend(ENCODED.iter().map(|(text, _)| format!("{text}\n")));
    texts.extend(
        [
            "one correct-horse/battery-staple two\n",
            "s3cs3cr3tr3t s3cr3ts3cr3t\n",
            "\u{1b}[31ms3c\u{1b}[0mr3t \u{1b}]8;;http://h/s3cr3t\u{7}link\u{1b}]8;;\u{7}\n",
            "s3c\0r\u{8}3\u{85}t s\u{1b}[1mcorrect\u{1b}(B-horse/batt\u{1b}[Kery\n",
            "s3c\rs3cr3t\rr3t\ns3cr\n3t\r\ns3cr3t",
        ]
        .map(str::to_owned),
    );
    texts
}

#[test]
fn no_secret_is_told_wherever_the_text_is_split() {
    let secrets = secrets(SECRETS);
    for text in tricky() {
        let whole = split_with(&secrets, &[text.as_bytes()]);
        assert_eq!(leaked(&whole), None, "{text:?}");
        assert!(texts(&whole).concat().contains("[redacted]"), "{text:?}");
        for offset in 0..=text.len() {
            let (one, other) = text.as_bytes().split_at(offset);
            assert_eq!(split_with(&secrets, &[one, other]), whole, "{text:?} at {offset}");
        }
    }
}

#[test]
fn no_secret_is_told_wherever_a_line_is_cut() {
    let secrets = secrets(SECRETS);
    for text in tricky() {
        let text = text.trim_end();
        for length in [LONGEST, WINDOW] {
            for into in 0..=text.len() {
                let line = format!("{}{text}{}", ".".repeat(length - into), ".".repeat(200));
                let told = split_with(&secrets, &[line.as_bytes()]);
                assert_eq!(leaked(&told), None, "{text:?} cut at {into} after {length}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_secret_is_told_however_texts_are_mixed_and_split(
        parts in vec((any::<prop::sample::Index>(), "[ a-z3\\x00\\x1b\\[m\r\nü]{0,12}"), 1..12),
        sizes in vec(1_usize..40, 1..30),
        fill in prop_oneof![Just(0), LONGEST - 200..LONGEST],
    ) {
        let tricky = tricky();
        let mut text = ".".repeat(fill);
        for (index, between) in &parts {
            // What follows no letter and precedes none is a word.
            text.extend([" ", index.get(&tricky).trim_end(), " ", between]);
        }
        let (mut rest, mut pieces) = (text.as_bytes(), Vec::new());
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let size = if rest.len() > 2000 { size * 100 } else { *size };
            let (piece, after) = rest.split_at(size.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let told = split_with(&secrets(SECRETS), &pieces);
        prop_assert_eq!(leaked(&told), None);
    }

    #[test]
    fn what_is_no_secret_is_told_as_it_is(text in "[ -~\\x1bü\n\r]{0,400}", size in 1_usize..50) {
        let pieces: Vec<_> = text.as_bytes().chunks(size).collect();
        let told = split_with(&secrets(SECRETS), &pieces);
        prop_assert_eq!(told, split(&[text.as_bytes()]));
    }
}

#[test]
fn private_keys_are_hidden_over_all_their_lines() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let key = format!(
        "-----BEGIN PRIVATE KEY-----\n{body}\n\u{1b}[1m{body}\u{1b}[0m\nMSw=\n-----END PRIVATE KEY-----\nafter\n"
    );
    let hidden = [
        "-----BEGIN PRIVATE KEY-----",
        "[redacted]",
        "[redacted]",
        "[redacted]",
        "-----END PRIVATE KEY-----",
        "after",
    ];
    for size in 1..40 {
        let pieces: Vec<_> = key.as_bytes().chunks(size).collect();
        assert_eq!(texts(&split(&pieces)), hidden);
    }
    let prefixed = key.replace('\n', "\n12:00 [x] ");
    assert!(!texts(&split(&[prefixed.as_bytes()])).concat().contains(body));
    let escaped = format!("{{\"key\": \"{}\", \"x\": 1}}", key.replace('\n', "\\n"));
    let told = split(&[escaped.as_bytes()]);
    assert!(
        !told[0].0.contains(body) && told[0].0.ends_with("-----END PRIVATE KEY-----\\nafter\\n\", \"x\": 1}"),
        "{told:?}"
    );
    let prose = "the file must begin with -----BEGIN PRIVATE KEY----- and does not\nnext line\n";
    assert_eq!(texts(&split(&[prose.as_bytes()])).join("\n") + "\n", prose);
    let cut = format!("{}{}", "x".repeat(LONGEST - 10), key);
    assert!(!texts(&split(&[cut.as_bytes()])).concat().contains(body));
}

#[test]
fn what_looks_like_a_secret_is_hidden() {
    let alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (text, expected) in [
        ("git clone https://me:pa55@host/r", "git clone https://[redacted]@host/r"),
        ("https://0123456789abcdef0123@host", "https://[redacted]@host"),
        ("ssh://git@host/r https://host/@scope/x", "ssh://git@host/r https://host/@scope/x"),
        (&format!("token ghp_{alphabet}."), "token [redacted]."),
        (&format!("github_pat_{alphabet}_{alphabet}"), "[redacted]"),
        ("glpat-abcdefghij_klmnopqrs", "[redacted]"),
        (
            "xglpat-abcdefghij_klmnopqrs npm_config_registry",
            "xglpat-abcdefghij_klmnopqrs npm_config_registry",
        ),
        ("AKIAABCDEFGHIJKLMNOP AKIAABCDEFGHIJKLMNOPQ", "[redacted] AKIAABCDEFGHIJKLMNOPQ"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "aws_secret_access_key = [redacted]",
        ),
        ("AWS_SECRET_ACCESS_KEY: is not set", "AWS_SECRET_ACCESS_KEY: is not set"),
    ] {
        assert_eq!(texts(&split(&[text.as_bytes()])), [expected], "{text}");
    }
}
