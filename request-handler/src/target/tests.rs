use proptest::prelude::*;

use super::*;

fn parse(target: &str) -> Result<String, TargetError> {
    Target::parse(&target.parse().unwrap()).map(|target| target.path.into_owned())
}

#[test]
fn paths_are_decoded_once() {
    for (target, expected) in [
        ("/", "/"),
        ("/a/b.css?x=1", "/a/b.css"),
        ("/a/", "/a/"),
        ("//a//", "//a//"),
        ("/caf%C3%A9", "/café"),
        ("/%5Bx%5d", "/[x]"),
        ("/a%2Fb", "/a/b"),
        ("/%252e%252e/x", "/%2e%2e/x"),
        ("/100%", "/100%"),
        ("/%zz%4", "/%zz%4"),
        ("/a..b/...", "/a..b/..."),
        ("http://host.example", "/"),
        ("http://host.example?q", "/"),
    ] {
        assert_eq!(parse(target).as_deref(), Ok(expected), "{target}");
    }
}

#[test]
fn dot_segments_are_resolved() {
    for (target, expected) in [
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/%2e/b", "/a/b"),
        ("/a//../b", "/a/b"),
    ] {
        assert_eq!(parse(target).as_deref(), Ok(expected), "{target}");
    }
}

#[test]
fn what_could_lead_out_of_the_site_is_refused() {
    for target in ["/a%2F..%2Fb", "/..%2f", "/%2e%2e%2fx", "/a\\..\\b", "/..%5cx", "/a%5C..", "/x/%2F.."] {
        assert_eq!(parse(target), Err(TargetError::Traversal), "{target}");
    }
    for target in ["/%00", "/a%00.html", "/a/%00/b"] {
        assert_eq!(parse(target), Err(TargetError::Nul), "{target}");
    }
    for target in ["/%ff", "/a%C3", "/%ED%A0%80"] {
        assert_eq!(parse(target), Err(TargetError::NotUtf8), "{target}");
    }
    assert_eq!(parse(&format!("/{}", "x".repeat(MAX_TARGET))), Err(TargetError::TooLong));
    assert_eq!(parse("*"), Err(TargetError::NoPath));
}

proptest! {
    #[test]
    fn no_path_leads_out_of_the_site(
        parts in prop::collection::vec("\\.\\.|\\.|/|\\\\|%2e|%2E|%2f|%5c|%25|%00|[a-c]|%c3%a9|%", 0..12),
    ) {
        let Ok(uri) = format!("/{}", parts.concat()).parse::<Uri>() else { return Ok(()) };
        if let Ok(target) = Target::parse(&uri) {
            prop_assert!(target.path.starts_with('/'));
            prop_assert!(target.path.split(['/', '\\']).all(|segment| segment != ".."), "{}", target.path);
            prop_assert!(!target.path.contains('\0'));
        }
    }
}
