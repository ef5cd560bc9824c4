use proptest::prelude::*;

use super::*;

fn ask(uri: &str, hosts: &[&str]) -> Result<String, HostError> {
    let mut headers = HeaderMap::new();
    for host in hosts {
        headers.append(header::HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
    }
    let domain = "sites.example".parse().unwrap();
    asked(&uri.parse().unwrap(), &headers, &domain).map(|host| host.site.to_string())
}

#[test]
fn the_label_stands_before_the_domain() {
    for host in [
        "blog.sites.example",
        "BLOG.Sites.Example:8080",
        "blog.sites.example.",
        "blog.sites.example.:80",
        "blog.sites.example:",
    ] {
        assert_eq!(ask("/", &[host]).as_deref(), Ok("blog"), "{host}");
    }
    assert_eq!(ask("/", &["dev--blog.sites.example"]).as_deref(), Ok("dev--blog"));
}

#[test]
fn the_host_of_an_absolute_target_wins() {
    assert_eq!(ask("http://blog.sites.example/a", &["other.sites.example"]).as_deref(), Ok("blog"));
    assert_eq!(ask("http://blog.sites.example/a", &[]), Err(HostError::Missing));
    assert!(matches!(
        ask("http://me@blog.sites.example/", &["blog.sites.example"]),
        Err(HostError::Malformed(_))
    ));
}

#[test]
fn a_host_that_is_not_ours_is_not_served() {
    for host in ["sites.example", "a.b.sites.example", "127.0.0.1:8080", "[::1]:8080"] {
        assert!(matches!(ask("/", &[host]), Err(HostError::NotServed(_))), "{host}");
    }
}

#[test]
fn another_host_is_looked_up_as_a_whole() {
    for (host, expected) in [
        ("blog.other.example", "blog.other.example"),
        ("notsites.example:80", "notsites.example"),
        ("A_B.other.example.", "a_b.other.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example.", "xn--bcher-kva.example"),
        ("bücher。example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("blüg.sites.example", "xn--blg-ioa"),
    ] {
        assert_eq!(ask("/", &[host]).as_deref(), Ok(expected), "{host}");
    }
}

#[test]
fn a_host_that_is_none_is_malformed() {
    for host in [
        ".",
        ":80",
        ".sites.example",
        "a..sites.example",
        "-a.sites.example",
        "a_b.sites.example",
        "blog.sites.example:port",
        "blog.sites.example:80:80",
        "bl og.sites.example",
        "<script>.other.example",
        "bl\u{2f}ü.other.example",
        "ü:80:80",
        &format!("{}.example", "x".repeat(64)),
        &"x.".repeat(130),
        "[::1",
        "[::1]x",
        "blog.sites.example..",
        &format!("{}.sites.example", "x".repeat(64)),
    ] {
        assert!(matches!(ask("/", &[host]), Err(HostError::Malformed(_))), "{host}");
    }
}

#[test]
fn there_is_exactly_one_host() {
    assert_eq!(ask("/", &[]), Err(HostError::Missing));
    assert_eq!(ask("/", &[""]), Err(HostError::Missing));
    assert_eq!(ask("/", &["a.sites.example", "a.sites.example"]), Err(HostError::Several));
}

proptest! {
    #[test]
    fn no_host_is_a_path(host in r"[a-c./\\:\[\]%ü。-]{0,12}") {
        if let Ok(site) = ask("/", &[&host]) {
            prop_assert!(gitdeploy_core::keys::route(&site).is_some(), "{}", site);
        }
    }
}
