//! `gitdeploy explain`.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::harness::{Machine, Ran, text};

const REDIRECTS: &str = "# moved\n/old /new 301\n/app/* /index.html 200\n/de /index.html 200 Language=de\n";

/// The explanation as JSON.
async fn explained(machine: &Machine, arguments: &[&str]) -> Value {
    let ran = machine.run(&[&["explain", "--json"], arguments].concat()).await;
    assert_eq!((ran.exit_code, ran.stdout.len()), (0, 1), "{ran:#?}");
    serde_json::from_str(&ran.stdout[0]).unwrap()
}

#[tokio::test]
async fn an_answer_is_explained_by_route_deployment_rule_line_file_and_cache() {
    let machine = Machine::new();
    let _up = machine.up(&[]).await;
    let files = [
        ("index.html", "the front page"),
        ("404.html", "nothing"),
        ("_redirects", REDIRECTS),
        ("_headers", "/*\n  X-Frame-Options: DENY\n"),
    ];
    let url = machine.deploy(&[text(&machine.site("blog", &files))]).await;
    let id = machine.list().await[0]["id"].as_str().unwrap().to_owned();

    let cold = explained(&machine, &[&url]).await;
    for (key, expected) in [
        ("url", url.as_str()),
        ("site", "blog"),
        ("found_by", "route"),
        ("project", "blog"),
        ("deployment", &id),
        ("decision", "file"),
        ("file", "index.html"),
        ("source", "store"),
        ("cache_control", "public, max-age=0, must-revalidate"),
    ] {
        assert_eq!(cold[key], expected, "{key} in {cold}");
    }
    assert_eq!((&cold["status"], &cold["headers_lines"]), (&200.into(), &serde_json::json!([1])));
    let hot = explained(&machine, &[&url]).await;
    assert_eq!((&hot["source"], &hot["manifest_source"]), (&"memory".into(), &"memory".into()));

    let told = machine.run(&["explain", &format!("{url}old")]).await;
    assert_eq!(told.exit_code, 0, "{told:#?}");
    assert_eq!(told.stdout[0], "301 Moved Permanently: the rule in line 2 leads to /new");
    assert!(told.stdout.contains(&"  rule           /old /new 301 (line 2)".to_owned()), "{told:#?}");
    assert!(!told.stdout.join("").contains('\x1b'), "there is no terminal");

    let of = async |path: &str| explained(&machine, &[&format!("{url}{path}")]).await;
    let rewrite = of("app/7").await;
    assert_eq!((&rewrite["decision"], &rewrite["redirect_line"]), (&"rewrite".into(), &3.into()));
    assert_eq!(of("nothing").await["file"], "404.html");
    assert_eq!(of("de").await["decision"], "not-found-page");
    let german = explained(&machine, &[&format!("{url}de"), "-H", "Accept-Language: de"]).await;
    assert_eq!((&german["decision"], &german["redirect_line"]), (&"rewrite".into(), &4.into()));
    let nobody = explained(&machine, &[&url.replace("blog", "nobody")]).await;
    assert_eq!((&nobody["status"], &nobody["decision"]), (&404.into(), &"no-site".into()));
}

#[tokio::test]
async fn a_site_behind_a_password_is_explained_as_a_visitor_sees_it() {
    let machine = Machine::new();
    let _up = machine.up(&[]).await;
    let url = machine.deploy(&[text(&machine.site("blog", &[("index.html", "hello")]))]).await;
    let protect = machine.command(&["protect", "blog", "--password-stdin"]).input("correct horse\n");
    assert_eq!(Ran::of(protect.start()).await.exit_code, 0);
    let locked = explained(&machine, &[&url]).await;
    assert_eq!((&locked["status"], &locked["decision"]), (&401.into(), &"password".into()));
    assert_eq!((&locked["file"], &locked["cache_control"]), (&Value::Null, &"no-store".into()));
}

#[tokio::test]
async fn a_foreign_host_gets_a_grant_for_itself_and_no_token() {
    let machine = Machine::new();
    let _up = machine.up(&[]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://me:secret@foreign.localhost:{}/a", listener.local_addr().unwrap().port());
    let answer = async |headers: &str| {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap()
    };
    let command = ["explain", &url];
    let (head, ran) = tokio::join!(answer(""), machine.run(&command));
    ran.assert_refused(1, "foreign.localhost answers 200 OK, and does not say why: it is not served by");
    let token = std::fs::read_to_string(machine.data().join("token")).unwrap();
    assert!(head.starts_with("GET /a HTTP/1.1\r\n") && head.contains("\r\ngitdeploy-explain: "), "{head}");
    assert!(!head.contains(token.trim()) && !head.to_lowercase().contains("bearer"), "{head}");

    let (_, ran) = tokio::join!(answer("Age: 120\r\n"), machine.run(&command));
    ran.assert_refused(1, "a cache in front of the proxy has answered, with a copy that is 120 s old");
    let (_, ran) = tokio::join!(answer("GitDeploy-Explanation: ]\r\n"), machine.run(&command));
    ran.assert_refused(1, "an explanation that cannot be read: it is no dictionary of structured fields");
    let forged = "GitDeploy-Explanation: decision=file, file=%\"%1b[2Jx\"\r\n";
    let (_, ran) = tokio::join!(answer(forged), machine.run(&command));
    assert_eq!((ran.exit_code, &*ran.stdout[0]), (0, "200 OK: the file `[2Jx`"), "{ran:#?}");
}

#[tokio::test]
async fn what_cannot_be_explained_is_said_in_a_sentence() {
    let machine = Machine::new();
    let url = "http://blog.localhost:1/";
    machine.run(&["explain", url]).await.assert_refused(2, "there is no token in");
    let up = machine.up(&[]).await;
    machine.run(&["explain", url]).await.assert_refused(1, "blog.localhost cannot be asked: ");
    machine.run(&["explain", "blog.localhost:8080/"]).await.assert_refused(2, "is no address of a page");
    machine.run(&["explain", "http://127.0.0.1:1/"]).await.assert_refused(2, "is not the name of a host");
    machine.run(&["explain", url, "-H", "x"]).await.assert_refused(2, "`x` is no header");
    machine.run(&["explain", url, "--token", "gd_admin_wrong_token"]).await.assert_refused(2, "token");
    assert_eq!(up.interrupt().await, 0);
    machine.run(&["explain", url]).await.assert_refused(3, "no platform answers at");
}
