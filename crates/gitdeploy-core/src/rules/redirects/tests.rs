use proptest::prelude::*;

use super::*;

/// The one rule or the one problem of a line.
fn of_line(line: &str, dialect: Dialect) -> Result<String, String> {
    let (rules, problems) = parse(line, dialect);
    match (rules.as_slice(), problems.as_slice()) {
        ([rule], []) => Ok(rule.to_string()),
        ([], [problem]) => {
            assert_eq!(problem.line, Some(1), "{line}");
            Err(problem.reason.clone())
        }
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn lines_are_read_as_they_are_meant() {
    for (line, expected) in [
        ("/a /b", "/a /b 302"),
        ("  /a \t /b  ", "/a /b 302"),
        ("/a /b\r", "/a /b 302"),
        ("/a /b 301", "/a /b 301"),
        ("/a /b 301!", "/a /b 301!"),
        ("/a /b?query=string 302", "/a /b?query=string 302"),
        ("/a /b##blah-1 302", "/a /b##blah-1 302"),
        ("/a /b#section 301 # to the section", "/a /b#section 301"),
        ("/a /b #", "/a /b 302"),
        ("/cat https://cat.com:12345", "/cat https://cat.com:12345/ 302"),
        ("/x https://x.com?y=1#z", "/x https://x.com/?y=1#z 302"),
        ("/x http://x.com/test=hello", "/x http://x.com/test=hello 302"),
        ("yeah.com https://nah.com", "/yeah.com https://nah.com/ 302"),
        ("/some%20page /somewhere%20else", "/some%20page /somewhere%20else 302"),
        ("/://so;`me /nons:/&@%+~{}ense", "/://so;%60me /nons:/&@%+~%7B%7Dense 302"),
        ("/café /über?q=ü", "/caf%C3%A9 /%C3%BCber?q=%C3%BC 302"),
        ("/less /%2fwww.example.com/ 308", "/less /%2fwww.example.com/ 308"),
        ("/* /index.html 200", "/* /index.html 200"),
        ("/* /maintenance 302", "/* /maintenance 302"),
        ("/* / 302", "/* / 302"),
        ("/admin/* 200", "/admin/* /admin/:splat 200"),
        ("/admin/* 200!", "/admin/* /admin/:splat 200!"),
        ("/users/:id /users/[id] 200", "/users/:id /users/[id] 200"),
        ("/gone /404.html 410", "/gone /404.html 410"),
        ("/tea /pot 418", "/tea /pot 418"),
        ("/blog post=:id /blog/:id", "/blog post=:id /blog/:id 302"),
        ("/ _escaped_fragment_=/about /about", "/ _escaped_fragment_=/about /about 302"),
        ("/ /china 302 Country=CH,tw", "/ /china 302 Country=ch,tw"),
        ("/ /il Country=il Language=en-GB", "/ /il 302 Country=il Language=en-gb"),
        ("/ /index.html 302 Country=de", "/ /index.html 302 Country=de"),
        (
            "https://Old.example/* https://new.example/:splat",
            "https://old.example/* https://new.example/:splat 302",
        ),
        ("http://old.example /new", "https://old.example/ /new 302"),
    ] {
        assert_eq!(of_line(line, Dialect::Cloudflare).as_deref(), Ok(expected), "{line}");
    }
    assert_eq!(of_line("/a /b", Dialect::Netlify).as_deref(), Ok("/a /b 301"));
}

#[test]
fn lines_that_mean_nothing_are_refused_with_the_reason() {
    for (line, expected) in [
        ("/c", "the target is missing"),
        ("/c 301", "the target is missing"),
        ("/m/legal source=:source", "the target is missing"),
        ("/swf.html?detect=false 301", "the target is missing"),
        ("/some page /somewhere else", "`page` is neither"),
        ("/a b", "`b` is neither"),
        ("/a mailto:x@y.z", "`mailto:x@y.z` is neither"),
        ("/a javascript:alert(1)", "is neither"),
        ("/d /e 302 !important", "`!important` cannot follow"),
        ("/d /e /f", "`/f` cannot follow"),
        ("/d /e 302 301", "`301` cannot follow"),
        ("/c /d 500", "the status 500"),
        ("/c /d 99999999999", "the status 99999999999"),
        ("/a =b /c", "has no name"),
        ("/a /b 302 Role=admin", "roles are not supported"),
        ("/a /b 302 Cookie=x", "`Cookie=x` is no condition"),
        ("/a /b 302 Country=,", "`Country=` names nothing"),
        ("/a https://evil.test 200", "must lie in this site"),
        ("/d/* //evil.test/:splat 302", "may not begin with `//`"),
        ("/d /\\evil.test", "may not begin with `//`"),
        ("/d \\\\evil.test", "may not begin with `//`"),
        ("/d /..//evil.test", "may not begin with `//`"),
        ("/d https:///x", "has no host"),
        ("/ /index.html", "leads in a circle"),
        ("/ /index", "leads in a circle"),
        ("/* /index.html 301", "leads in a circle"),
        ("/docs/* /docs/index.html", "leads in a circle"),
        ("/.netlify/from /to", "are reserved"),
        ("/*/*  /x", "`*` stands more than once"),
        ("/*/:id /x", "cannot stand after `*`"),
        ("https://x.com:8080/a /b", "a port cannot stand"),
        ("/a\u{1b}[2J /b", "a control character"),
        ("/\u{fffd} /b", "not UTF-8"),
    ] {
        let refused = of_line(line, Dialect::Cloudflare).unwrap_err();
        assert!(refused.contains(expected), "{line}: {refused}");
    }
}

#[test]
fn every_refused_line_is_told_with_its_number_and_the_others_hold() {
    let text = "\u{feff}# comment\n/a /b\n\n  # /x\n/c\n/b /a 301\n/a /c\n/q?x=1 /r\n";
    let (rules, problems) = parse(text, Dialect::Cloudflare);
    let rules: Vec<_> = rules.iter().map(|rule| format!("{} {rule}", rule.line)).collect();
    assert_eq!(rules, ["2 /a /b 302", "6 /b /a 301", "8 /q /r 302"]);
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "`_redirects`, line 5: the target is missing: write `/c /target`",
            "`_redirects`, line 7: a rule with the same source stands in line 2, which counts",
            "`_redirects`, line 8: `?x=1` is passed over: a condition on the query is written `/q key=value /target`",
        ]
    );
}

#[test]
fn rules_with_other_conditions_are_no_duplicates() {
    let text = "/ /de 302 Country=de\n/ /at 302 Country=at\n/ page=a /a\n/ page=b /b\n/ /x\n/ page=b /c\n";
    let (rules, problems) = parse(text, Dialect::Cloudflare);
    assert_eq!(rules.len(), 5);
    assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [Some(6)]);
}

#[test]
fn limits_hold() {
    let fixed = (0..2002).map(|n| format!("/a/{n} /b/{n}\n")).collect::<Vec<_>>().concat();
    let dynamic = (0..101).map(|n| format!("/c/{n}/* /d/:splat\n")).collect::<Vec<_>>().concat();
    let (rules, problems) = parse(&(fixed + &dynamic), Dialect::Cloudflare);
    assert_eq!(rules.len(), 2100);
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(2001), Some(2002), Some(2103)]);

    let long = |length: usize| format!("/a /{}", "b".repeat(length - 4));
    assert_eq!(parse(&long(2000), Dialect::Cloudflare).0.len(), 1);
    assert!(of_line(&long(2001), Dialect::Cloudflare).unwrap_err().contains("longer than 2000"));
    assert_eq!(parse(&"#".repeat(9000), Dialect::Cloudflare), (Vec::new(), Vec::new()));

    let (_, problems) = parse(&"/x\n".repeat(100_000), Dialect::Cloudflare);
    assert_eq!(problems.len(), 201);
    assert_eq!(problems[200].to_string(), "`_redirects`: 99800 more problems are not listed");
}

#[test]
fn targets_are_filled_and_stay_in_the_site() {
    for (line, path, expected) in [
        ("/blog/* https://blog.example.com/:splat", "/blog/a/b", "https://blog.example.com/a/b"),
        (
            "/products/:code/:name/* /products?junk=:splat&name=:name&code=:code",
            "/products/1/x/y",
            "/products?junk=y&name=x&code=1",
        ),
        ("/p/:id/:id2 /o/:id2/:id", "/p/1/2", "/o/2/1"),
        ("/d/* /:splat", "/d//evil.test", "/evil.test"),
        ("/d/* /:splat", "/d/\\evil.test", "/evil.test"),
        ("/d/:a/* /:a/:splat", "/d/x/", "/x/"),
    ] {
        let (rules, _) = parse(line, Dialect::Cloudflare);
        let captures = rules[0].from.captures("h", path).unwrap();
        assert_eq!(rules[0].target(&captures).as_deref(), Some(expected), "{line}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_and_what_is_read_survives_json(text in ".{0,200}") {
        let (rules, problems) = parse(&text, Dialect::Netlify);
        let json = serde_json::to_string(&(&rules, &problems)).unwrap();
        prop_assert!(json.len() <= 4000 + 40 * text.len());
        prop_assert_eq!(serde_json::from_str::<(Vec<Redirect>, Vec<Problem>)>(&json).unwrap(), (rules, problems));
    }

    #[test]
    fn what_looks_like_rules_never_leads_to_another_site_by_itself(
        from in "/[a:*/.\\\\]{0,8}", to in "[/\\\\][a:*/.\\\\%é]{0,8}", path in "/[a/.\\\\]{0,12}"
    ) {
        let (rules, problems) = parse(&format!("{from} {to}"), Dialect::Cloudflare);
        prop_assert_eq!(rules.len() + problems.len(), 1);
        for rule in rules {
            let json = serde_json::to_string(&rule).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Redirect>(&json).unwrap(), &rule);
            if let Some(captures) = rule.from.captures("h", &path) {
                let target = rule.target(&captures).unwrap();
                prop_assert!(target.starts_with('/') && !target[1..].starts_with(['/', '\\']), "{}", target);
            }
        }
    }
}
