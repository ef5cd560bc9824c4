use proptest::prelude::*;

use super::*;

/// A rule in one line, as the tables below have it.
fn shown_rule(rule: &HeaderRule) -> String {
    let unset = rule.unset.iter().map(|name| format!(" !{name}"));
    let set = rule.set.iter().map(|(name, value)| format!(" {name}={}", value.as_str()));
    format!("{}{}", rule.path.as_str(), unset.chain(set).collect::<String>())
}

fn read(text: &str) -> (Vec<String>, Vec<String>) {
    let (rules, problems) = parse(text);
    (rules.iter().map(shown_rule).collect(), problems.iter().map(ToString::to_string).collect())
}

#[test]
fn rules_are_read_as_they_are_meant() {
    for (text, expected) in [
        ("/a\n  Name: Value", vec!["/a name=Value"]),
        ("/path\ntest : one\n\n  test:two", vec!["/path test=one test=two"]),
        ("/a\n  Name: Value\n  ! Place", vec!["/a !place name=Value"]),
        ("  # c\n  /a\n  # c\n  N: v\n", vec!["/a n=v"]),
        ("/a\n a: 1\n/b\n b: 2\n/a\n a: 3", vec!["/a a=1", "/b b=2", "/a a=3"]),
        (
            "https://example.com\n a: a\nhttps://:sub.Example.*/p\n e:e",
            vec!["https://example.com/ a=a", "https://:sub.example.*/p e=e"],
        ),
        ("/some page\n v: yup\n//yeah.com/blog\n v: w", vec!["/some%20page v=yup", "//yeah.com/blog v=w"]),
        (
            "/c\n link: </x.css>; rel=preload\n url: http://x.y",
            vec!["/c link=</x.css>; rel=preload url=http://x.y"],
        ),
        ("/*\n x-path: :splat", vec!["/* x-path=:splat"]),
        ("/\n set-cookie: a=b; Secure; path=/", vec!["/ set-cookie=a=b; Secure; path=/"]),
    ] {
        assert_eq!(read(text), (expected.iter().map(ToString::to_string).collect(), vec![]), "{text}");
    }
}

#[test]
fn what_belongs_to_the_server_is_refused() {
    for name in OF_THE_SERVER {
        let (rules, problems) = read(&format!("/*\n X-A: b\n {}: x", name.to_ascii_uppercase()));
        assert_eq!(rules, ["/* x-a=b"]);
        let expected =
            format!("`_headers`, line 3: the header `{}` belongs to the server", name.to_ascii_uppercase());
        assert_eq!(problems, [expected]);
    }
}

#[test]
fn lines_that_mean_nothing_are_refused_with_the_reason() {
    for (text, line, expected) in [
        ("a: b", 1, "before the first path"),
        ("/a", 1, "the path `/a` has no headers"),
        ("/a\n a: b\n I'm invalid!", 3, "`I'm invalid!` is neither"),
        ("/a\n a: b\n !x-content-type", 3, "is neither"),
        ("/a\n a: b\n ! Content-Type: application/json", 3, "is neither"),
        ("/a\n a: b\n test = one", 3, "is neither"),
        ("/a\n a: b\n na me: v", 3, "`na me` is no name"),
        ("/a\n a: b\n : v", 3, "`` is no name"),
        ("/a\n a: b\n name:", 3, "has no value"),
        ("/a\n a: b\n name: \u{7f}x", 3, "control character"),
        ("/a\n a: b\n set-cookie: a=b; DOMAIN = .example.com", 3, "leave `Domain` away"),
        ("/a/*\n a: b\n set-cookie: a=:splat", 3, "cannot be made of parts"),
        ("/blog/*/posts/*\n a: b", 1, "`*` stands more than once"),
        ("http://nah.com/blog\n a: b", 1, "must begin with `https://`"),
        ("https://nah.com:8080\n a: b", 1, "a port cannot stand"),
        ("ftp://x/y\n a: b", 1, "must begin with `https://`"),
    ] {
        let (rules, problems) = parse(text);
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 1, "{text}: {shown:?} {rules:?}");
        assert!(problems[0].reason.contains(expected), "{text}: {shown:?}");
        assert_eq!(problems[0].line, Some(line), "{text}");
    }
}

#[test]
fn limits_hold() {
    let text = (0..101).map(|n| format!("/a/{n}\nx-index: {n}\n")).collect::<Vec<_>>().concat();
    let (rules, problems) = parse(&text);
    assert_eq!((rules.len(), problems.len(), problems[0].line), (100, 1, Some(201)));
    let text = "/a\n".to_owned() + &"a: b\n".repeat(101);
    let (rules, problems) = parse(&text);
    assert_eq!((rules[0].set.len(), problems.len(), problems[0].line), (100, 1, Some(102)));
    let (_, problems) = parse(&format!("/a\n a: b\n c: {}", "x".repeat(2000)));
    assert!(problems[0].reason.contains("longer than 2000"));
}

proptest! {
    #[test]
    fn any_text_is_read_and_what_is_read_survives_json(text in "(/[a*:]{0,3}\n|[a!: ]{0,8}\n|.{0,20}\n){0,12}") {
        let (rules, problems) = parse(&text);
        let json = serde_json::to_string(&(&rules, &problems)).unwrap();
        prop_assert!(json.len() <= 4000 + 40 * text.len());
        prop_assert_eq!(serde_json::from_str::<(Vec<HeaderRule>, Vec<Problem>)>(&json).unwrap(), (rules, problems));
    }
}
