//! Sites with a password, and sites in maintenance, over real sockets: what visitors see before and after.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

#[expect(dead_code, reason = "other tests publish files one by one")]
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use gitdeploy_core::rules::{Dialect, parse_headers, parse_redirects};
use gitdeploy_core::{DeploymentId, Password, Protection, Route, keys};
use gitdeploy_store::ObjectStore;
use jiff::Timestamp;
use request_handler::{Config, Handler, Options, Server, Trust};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A bound on what takes a moment.
const SOON: Duration = Duration::from_mins(1);

const PASSWORD: &str = "correct horse & battery";
const FORM: &str = "password=correct+horse+%26+battery";

/// Headers of a form of the page itself.
const OURS: &str = "Content-Type: application/x-www-form-urlencoded\r\nOrigin: http://blog.localhost\r\n";

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The cookie that it sets, as it is sent back.
    fn cookie(&self) -> String {
        let cookie = self.header("set-cookie").unwrap_or_else(|| panic!("{self:#?}"));
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
    }

    /// That nothing of the site is in the answer, and nobody keeps it.
    fn assert_locked(&self, status: u16) {
        assert_eq!(self.status, status, "{self:#?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:#?}");
        let told = ["etag", "link", "location", "set-cookie", "x-author", "accept-ranges", "vary"];
        assert!(told.iter().all(|name| self.header(name).is_none()), "{self:#?}");
        for word in ["front page", "old page", "secret", "index.html"] {
            assert!(!self.body.contains(word), "{self:#?}");
        }
    }
}

/// A project with a site, in a store and behind a proxy.
struct Site {
    store: ObjectStore,
    deployment: DeploymentId,
    route: Route,
    proxy: Proxy,
}

/// A proxy that runs until it is dropped.
struct Proxy {
    handler: Handler,
    address: SocketAddr,
    _stop: DropGuard,
}

impl Proxy {
    async fn start(store: &ObjectStore) -> Self {
        Self::with(store, Trust::default()).await
    }

    async fn with(store: &ObjectStore, trust: Trust) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stopping) = (listener.local_addr().unwrap(), CancellationToken::new());
        let handler = Handler::new(store.clone(), &Config::default());
        let server = Server::new(handler.clone(), Options { trust, ..Options::default() }).listen(listener);
        tokio::spawn(server.serve(stopping.clone()));
        Self { handler, address, _stop: stopping.drop_guard() }
    }
}

impl Site {
    async fn new() -> Self {
        let store = ObjectStore::memory();
        let old = publish(&store, 1, &[("old.js", "the old page's secret")]).await;
        let files = [
            ("index.html", "the front page"),
            ("index.html [link]", "</secret.css>; rel=preload"),
            ("secret.txt", "a secret"),
            ("app-BX4d1f2Q.js [immutable]", ""),
            ("app-BX4d1f2Q.js", "a secret script"),
            ("404.html", "no such secret"),
        ];
        let deployment = publish(&store, 2, &files).await;
        let mut route = Route::new("blog".parse().unwrap(), old, Timestamp::UNIX_EPOCH);
        route = route.moved_to(deployment.clone(), Timestamp::now());
        let proxy = Proxy::start(&store).await;
        let site = Self { store, deployment, route, proxy };
        site.lead("blog").await;
        site
    }

    /// Writes the route for a name.
    async fn lead(&self, name: &str) {
        let bytes = serde_json::to_vec(&self.route).unwrap();
        support::put(&self.store, &keys::route(name).unwrap(), bytes.into()).await;
    }

    /// Protects the site, and waits until the proxy has seen it.
    async fn protect(&mut self, protection: Protection) {
        self.route.protection = protection;
        self.lead("blog").await;
        self.proxy.handler.invalidate("blog");
    }

    async fn with_password() -> Self {
        let mut site = Self::new().await;
        site.protect(password(PASSWORD, 1)).await;
        site
    }

    async fn ask(&self, head: &str, headers: &str, body: &str) -> Answer {
        self.ask_at("blog.localhost", head, headers, body).await
    }

    async fn ask_at(&self, host: &str, line: &str, headers: &str, body: &str) -> Answer {
        self.ask_from(1, host, line, headers, body).await
    }

    /// Sends a request over a connection of its own, from the address `127.0.0.<last>`.
    async fn ask_from(&self, last: u8, host: &str, line: &str, headers: &str, body: &str) -> Answer {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        let mut stream = socket.connect(self.proxy.address).await.unwrap();
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request =
            format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}{headers}\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // That the connection is reset behind an answer that needs no more of the request is fine.
        tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("an answer comes").ok();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

fn password(text: &str, salt: u8) -> Protection {
    Protection { password: Some(Password::new(text, [salt; 16]).unwrap()), ..Protection::default() }
}

/// Publishes a deployment of the project with rules that tell on it.
async fn publish(store: &ObjectStore, number: u64, files: &[(&str, &str)]) -> DeploymentId {
    let id = DeploymentId::new(Timestamp::UNIX_EPOCH, number);
    let mut manifest = support::empty_manifest(id.as_str());
    manifest.project = Some("blog".parse().unwrap());
    let mut files: Vec<_> = files.to_vec();
    // What is said of a file comes after the file.
    files.sort_by_key(|(name, _)| name.contains('['));
    for (name, content) in files.iter().filter(|(name, _)| !name.contains("immutable")) {
        support::add_named(store, &mut manifest, name, &Bytes::from((*content).to_owned())).await;
    }
    if let Some(file) = manifest.files.get_mut("app-BX4d1f2Q.js") {
        file.cache = gitdeploy_core::manifest::Caching::Immutable;
    }
    manifest.rules.redirects =
        parse_redirects("/moved /secret.txt 301\n/post https://other.test/ 308", Dialect::Cloudflare).0;
    let headers =
        "/*\n  X-Author: secret\n  Cache-Control: public, max-age=600\n  CDN-Cache-Control: max-age=600";
    manifest.rules.headers = parse_headers(headers).0;
    support::put_manifest(store, &manifest).await;
    id
}

#[tokio::test]
async fn a_visitor_is_asked_gives_the_password_and_sees_the_site() {
    let mut site = Site::with_password().await;
    let page = site.ask("GET /secret.txt?a=1", "", "").await;
    page.assert_locked(401);
    assert!(page.body.contains("<form method=\"post\">"), "{page:#?}");
    assert!(page.header("www-authenticate").is_some());

    let wrong = site.ask("POST /secret.txt?a=1", OURS, "password=another+horse").await;
    wrong.assert_locked(401);
    assert!(wrong.body.contains("That is not the password."), "{wrong:#?}");

    let right = site.ask("POST /secret.txt?a=1", OURS, FORM).await;
    assert_eq!((right.status, right.header("location")), (303, Some("/secret.txt?a=1")));
    assert_eq!(right.header("cache-control"), Some("no-store"));
    let attributes = right.header("set-cookie").unwrap().split_once("; ").unwrap().1;
    assert_eq!(attributes, "Path=/; Max-Age=604800; HttpOnly; SameSite=Lax");

    let cookie = right.cookie();
    let file = site.ask("GET /secret.txt?a=1", &cookie, "").await;
    assert_eq!((file.status, &*file.body, file.header("x-author")), (200, "a secret", Some("secret")));
    let private = Some("private, max-age=0, must-revalidate");
    assert_eq!((file.header("cache-control"), file.header("cdn-cache-control")), (private, None));
    let tag = file.header("etag").unwrap();
    let again = site.ask("GET /secret.txt", &format!("{cookie}If-None-Match: {tag}\r\n"), "").await;
    assert_eq!((again.status, again.header("cache-control")), (304, private));
    let locked = site.ask("GET /secret.txt", &format!("If-None-Match: {tag}\r\n"), "").await;
    locked.assert_locked(401);
    let script = site.ask("GET /app-BX4d1f2Q.js", &cookie, "").await;
    assert_eq!((script.status, script.header("cache-control")), (200, private));
    let moved = site.ask("GET /moved", &cookie, "").await;
    assert_eq!((moved.status, moved.header("cache-control")), (301, private));
    let missing = site.ask("GET /nothing", &cookie, "").await;
    assert_eq!((missing.status, missing.header("cache-control")), (404, Some("no-store")));

    site.protect(password("another battery", 2)).await;
    site.ask("GET /secret.txt", &cookie, "").await.assert_locked(401);
    site.ask("POST /secret.txt", OURS, FORM).await.assert_locked(401);
    site.protect(Protection::default()).await;
    let open = site.ask("GET /secret.txt", "", "").await;
    assert_eq!((open.status, open.header("cache-control")), (200, Some("public, max-age=600")));
}

#[tokio::test]
async fn everything_is_behind_the_password() {
    let site = Site::with_password().await;
    for line in [
        "GET /",
        "GET /index.html",
        "HEAD /",
        "GET /old.js",
        "GET /moved",
        "GET /nothing",
        "GET /app-BX4d1f2Q.js",
        "GET /.well-known/x",
        "OPTIONS /",
        "PUT /",
        "DELETE /secret.txt",
        "POST /post",
        "GET http://blog.localhost/",
    ] {
        site.ask(line, "", "").await.assert_locked(401);
    }
    site.ask("GET /secret.txt", "Range: bytes=0-1\r\n", "").await.assert_locked(401);
    site.ask("GET /", "Want-Repr-Digest: sha-256=1\r\nAccept-Encoding: br\r\n", "").await.assert_locked(401);
    site.ask("POST /", "Content-Type: application/json\r\n", FORM).await.assert_locked(401);
}

#[tokio::test]
async fn every_host_of_the_project_asks_for_its_password_and_each_for_itself() {
    let mut site = Site::with_password().await;
    let own = format!("{}.localhost", site.deployment);
    let earlier = format!("{}.localhost", site.route.predecessors[0]);
    let mut open = site.route.clone();
    open.protection = Protection::default();
    let closed = std::mem::replace(&mut site.route, open);
    site.lead("dev--blog").await;
    site.lead("www.example.com").await;
    site.route = closed;
    let cookie = site.ask("POST /", OURS, FORM).await.cookie();
    for host in [&own, &earlier, "dev--blog.localhost", "www.example.com"] {
        site.ask_at(host, "GET /", "", "").await.assert_locked(401);
        site.ask_at(host, "GET /", &cookie, "").await.assert_locked(401);
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let entered = site.ask_at(host, "POST /", form, FORM).await;
        assert_eq!(entered.status, 303, "{host}");
        let file = site.ask_at(host, "GET /index.html?x", &entered.cookie(), "").await;
        assert_eq!(file.status, if *host == earlier { 404 } else { 308 }, "{host}");
    }
    site.protect(Protection::default()).await;
    assert_eq!(site.ask_at(&own, "GET /", "", "").await.status, 200);
}

#[tokio::test]
async fn where_visits_are_encrypted_the_cookie_is_for_them_only() {
    let mut site = Site::with_password().await;
    let plain = site.ask("POST /", OURS, FORM).await.cookie();
    let networks = "127.0.0.0/8".to_owned().try_into().unwrap();
    site.proxy = Proxy::with(&site.store, Trust { networks, ..Trust::default() }).await;
    let https = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n";
    let form = format!("{https}{}", OURS.replace("http:", "https:"));
    let entered = site.ask("POST /", &form, FORM).await;
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-gitdeploy-password="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    let file = site.ask("GET /secret.txt", &format!("{https}{}", entered.cookie()), "").await;
    assert_eq!(file.status, 200, "{file:#?}");
    site.ask("GET /secret.txt", &format!("{https}{plain}"), "").await.assert_locked(401);
    site.ask("GET /secret.txt", &entered.cookie(), "").await.assert_locked(401);
    assert_eq!(
        site.ask("GET /secret.txt", &plain, "").await.status,
        200,
        "of another proxy, which has no key either"
    );
}

#[tokio::test]
async fn the_answer_to_a_form_leads_to_nobody_else() {
    let site = Site::with_password().await;
    for (target, expected) in [
        ("/a/b?c=d&e=%0d%0aX:1", "/a/b?c=d&e=%0d%0aX:1"),
        ("//evil.test/x", "/evil.test/x"),
        ("////evil.test", "/evil.test"),
        ("/.//evil.test", "/evil.test"),
        ("/x/..//evil.test", "/evil.test"),
        ("/%0d%0aSet-Cookie:%20a=b", "/%0d%0aSet-Cookie:%20a=b"),
        ("/a%2Fb/%C3%BC", "/a%2Fb/%C3%BC"),
        ("http://blog.localhost//evil.test", "/evil.test"),
    ] {
        let answer = site.ask(&format!("POST {target}"), OURS, FORM).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some(expected)), "{target}");
    }
    let odd = site.ask("POST /\\evil.test", OURS, FORM).await;
    assert!(odd.header("location").is_none_or(|location| location == "/evil.test"), "{odd:#?}");
}

#[tokio::test]
async fn forms_that_cannot_be_right_are_refused_one_by_one() {
    let site = Site::with_password().await;
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let foreign = site.ask("POST /", &format!("{kind}Origin: http://evil.test\r\n"), FORM).await;
    foreign.assert_locked(403);
    site.ask("POST /", &format!("{kind}Sec-Fetch-Site: cross-site\r\n"), FORM).await.assert_locked(403);
    let browser = format!("{kind}Sec-Fetch-Site: same-origin\r\nOrigin: https://www.example.com\r\n");
    assert_eq!(site.ask("POST /", &browser, FORM).await.status, 303, "a neighbour has changed the host");
    site.ask("POST /", OURS, "other=1").await.assert_locked(401);
    site.ask("POST /", OURS, "password=").await.assert_locked(401);
    let long = format!("password={}", "x".repeat(5000));
    site.ask("POST /", OURS, &long).await.assert_locked(413);
    let cookie = site.ask("POST /", OURS, FORM).await.cookie();
    let second = site.ask("POST /moved?x", &format!("{OURS}{cookie}"), "password=whatever").await;
    assert_eq!(
        (second.status, second.header("location")),
        (301, Some("/secret.txt?x")),
        "rules are the site's"
    );
    let second = site.ask("POST /secret.txt?x", &format!("{OURS}{cookie}"), "password=whatever").await;
    assert_eq!((second.status, second.header("location")), (303, Some("/secret.txt?x")));
    assert_eq!(site.ask("POST /secret.txt", &cookie, "").await.status, 405);
}

#[tokio::test]
async fn who_guesses_has_to_wait_while_others_come_in() {
    let site = Site::with_password().await;
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(site.ask("POST /", OURS, "password=another+horse").await);
    }
    assert!(answers[..10].iter().all(|answer| answer.status == 401));
    let last = answers.last().unwrap();
    last.assert_locked(429);
    assert!(last.header("retry-after").unwrap().parse::<u32>().unwrap() <= 6);
    site.ask("POST /", OURS, FORM).await.assert_locked(429);

    let other = site.ask_from(7, "blog.localhost", "POST /", OURS, FORM).await;
    assert_eq!(other.status, 303, "another address");
}

#[tokio::test]
async fn a_site_in_maintenance_is_shown_to_nobody() {
    let mut site = Site::with_password().await;
    let cookie = site.ask("POST /", OURS, FORM).await.cookie();
    let own = format!("{}.localhost", site.deployment);
    let protection = Protection { maintenance: true, ..site.route.protection.clone() };
    site.protect(protection).await;
    for (host, line, headers) in [
        ("blog.localhost", "GET /", ""),
        ("blog.localhost", "GET /nothing", &*cookie),
        ("blog.localhost", "OPTIONS /", ""),
        (&own, "GET /", ""),
    ] {
        let answer = site.ask_at(host, line, headers, "").await;
        answer.assert_locked(503);
        assert_eq!(answer.header("retry-after"), Some("60"));
    }
    site.ask("POST /", OURS, FORM).await.assert_locked(503);
    site.protect(password(PASSWORD, 1)).await;
    assert_eq!(site.ask("GET /secret.txt", &cookie, "").await.status, 200, "who was in is in again");
}

#[tokio::test]
async fn a_route_that_is_not_understood_is_not_served() {
    let mut site = Site::with_password().await;
    let text = serde_json::to_string(&site.route).unwrap();
    let newer = text.replace("\"protection\":{", "\"protection\":{\"members\":[],");
    assert_ne!(newer, text);
    site.store.delete(&keys::route("blog").unwrap()).await.unwrap();
    site.proxy.handler.invalidate("blog");
    support::put(&site.store, &keys::route("blog").unwrap(), newer.into()).await;
    let fresh = Proxy::start(&site.store).await;
    site.proxy = fresh;
    let own = format!("{}.localhost", site.deployment);
    for host in ["blog.localhost", &own] {
        site.ask_at(host, "GET /secret.txt", "", "").await.assert_locked(502);
    }
}
