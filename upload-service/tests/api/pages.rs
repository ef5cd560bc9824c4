use axum::body::Body;
use axum::http::{Method, StatusCode};

use crate::support::{Answer, Platform, anonymous, until};

async fn visit(platform: &Platform, path: &str) -> Answer {
    let code = platform.control.new_login_code().await.unwrap();
    let login = anonymous(Method::GET, &format!("/login?code={code}")).body(Body::empty()).unwrap();
    let answer = platform.send(login).await;
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let request = anonymous(Method::GET, path).header("cookie", cookie);
    platform.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn people_without_a_session_are_shown_the_way() {
    let platform = Platform::idle("").await;
    for path in ["/", "/deployments/00000000000000000000"] {
        let answer = platform.send(anonymous(Method::GET, path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.header("location"), Some("/login"));
    }
    let login = platform.send(anonymous(Method::GET, "/login").body(Body::empty()).unwrap()).await;
    assert!(login.text.contains("<form class=\"login\" method=\"post\""), "{}", login.text);
    assert!(login.text.contains("<code>gitdeploy open</code>"), "{}", login.text);
}

#[tokio::test]
async fn pages_load_nothing_foreign_and_run_nothing_inline() {
    let platform = Platform::new("publish").await;
    let id = platform.deploy("blog").await;
    for path in
        ["/".to_owned(), format!("/deployments/{id}"), "/login".to_owned(), "/deployments/none".to_owned()]
    {
        let answer = visit(&platform, &path).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        for inline in ["<style", "style=", "onclick", "javascript:", "src=\"http"] {
            assert!(!answer.text.contains(inline), "{path}: {inline}");
        }
        assert!(!answer.text.contains("<script>"));
    }
    for (path, media_type) in [("app.css", "text/css"), ("log.js", "text/javascript")] {
        let answer = visit(&platform, &format!("/static/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.header("content-type").unwrap().starts_with(media_type));
    }
}

#[tokio::test]
async fn the_list_shows_deployments_and_loads_again_while_something_happens() {
    let platform = Platform::new("meet go; publish").await;
    let empty = visit(&platform, "/").await.text;
    assert!(empty.contains("There are none yet"));
    let id = platform.deploy("blog").await;
    let page = visit(&platform, "/").await.text;
    assert!(page.contains(&format!("<a href=\"/deployments/{id}\">blog</a>")), "{page}");
    assert!(page.contains("http-equiv=\"refresh\""));
    platform.go("go");
    platform.final_view(&id).await;
    let page = visit(&platform, "/").await.text;
    assert!(page.contains("<span class=\"state ready\">ready</span>"), "{page}");
    assert!(page.contains("<a href=\"http://blog.localhost:8080/\""), "{page}");
    assert!(page.contains("<code>9f3c1e2</code> Fix nav"), "{page}");
    assert!(!page.contains("http-equiv"));
}

#[tokio::test]
async fn a_running_deployment_shows_its_log_so_far_and_where_to_go_on() {
    let platform = Platform::new(
        r#"phase build; log '\u001b[31m<script>alert(1)</script>\u001b[0m'; touch "$TMPDIR/running"; meet go; publish"#,
    )
    .await;
    let id = platform.deploy("blog").await;
    let page = until(async || {
        let page = visit(&platform, &format!("/deployments/{id}")).await.text;
        page.contains("data-seq=\"2\"").then_some(page)
    })
    .await;
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "{page}");
    assert!(!page.contains('\u{1b}'));
    assert!(page.contains("<script src=\"/static/log.js\" defer></script>"));
    assert!(page.contains("<li data-phase=\"build\" class=\"started\">build"), "{page}");
    platform.go("go");
    platform.final_view(&id).await;
    let page = visit(&platform, &format!("/deployments/{id}")).await.text;
    assert!(!page.contains("<script src"), "{page}");
    assert!(page.contains(&format!("For ever at <a href=\"http://{id}.localhost:8080/\"")), "{page}");
}

#[tokio::test]
async fn of_a_line_that_is_written_over_the_page_shows_the_last_version() {
    let platform = Platform::new(
        r#"bar() { event "\"kind\":\"log\",\"phase\":\"build\",\"stream\":\"stdout\",\"line\":7,\"text\":\"$1\""; }
        phase build; bar 10%; bar 50%; bar 100%; log after; publish"#,
    )
    .await;
    let id = platform.deploy("blog").await;
    platform.final_view(&id).await;
    let page = visit(&platform, &format!("/deployments/{id}")).await.text;
    assert!(page.contains("100%\nafter") && !page.contains("10%\n") && !page.contains("50%"), "{page}");
}

#[tokio::test]
async fn a_page_that_is_ahead_of_the_catalog_goes_on_before_the_end() {
    let platform = Platform::new("publish; meet go").await;
    let id = platform.deploy("blog").await;
    until(async || {
        let log = platform.get(&format!("/v1/deployments/{id}/logs")).await.text;
        log.contains("--- ready").then_some(())
    })
    .await;
    let page = visit(&platform, &format!("/deployments/{id}")).await.text;
    assert!(page.contains("data-seq=\"1\""), "{page}");
    assert!(page.contains("<script src"), "{page}");
    platform.go("go");
    platform.final_view(&id).await;
    let page = visit(&platform, &format!("/deployments/{id}")).await.text;
    assert!(!page.contains("<script src"), "{page}");
}

#[tokio::test]
async fn a_failure_stands_on_top_with_its_fix() {
    let platform = Platform::new(
        r#"event '"kind":"end","state":"failed","failure":{"code":"build.exit","cause":"`bash build.sh` exited with 2","fix":"mend <it>","hint":"it is `known`"}'"#,
    )
    .await;
    let id = platform.deploy("blog").await;
    platform.final_view(&id).await;
    let page = visit(&platform, &format!("/deployments/{id}")).await.text;
    let (failure, log) =
        (page.find("<code>bash build.sh</code> exited with 2.").unwrap(), page.find("<pre").unwrap());
    assert!(failure < log);
    assert!(page.contains("<p>It is <code>known</code>.</p>\n<p>Mend &#60;it&#62;.</p>"), "{page}");
}

#[tokio::test]
async fn what_has_no_commit_is_called_by_its_project_alone() {
    let platform = Platform::new(r#"event '"kind":"end","state":"ready","files":1,"bytes":243650'"#).await;
    let id = platform.deploy("blog").await;
    platform.final_view(&id).await;
    let page = visit(&platform, &format!("/deployments/{id}")).await.text;
    assert!(page.contains("<h1>blog</h1>"), "{page}");
    assert!(
        page.contains("<span class=\"fact\">1 file</span>, <span class=\"fact\">243.7 kB</span>"),
        "{page}"
    );
}

#[tokio::test]
async fn a_deployment_that_is_not_there_is_a_page_too() {
    let platform = Platform::idle("").await;
    let answer = visit(&platform, "/deployments/none").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"));
    assert!(answer.text.contains("<h1>Not found</h1>"), "{}", answer.text);
    assert!(answer.text.contains("<p>There is no deployment <code>none</code>.</p>"), "{}", answer.text);
    let answer = visit(&platform, "/?after=nothing").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn browsers_get_problems_as_pages_and_programs_as_json() {
    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let platform = Platform::idle("").await;
    let ask = async |accept: &str, path: &str| {
        let request = anonymous(Method::GET, path).header("accept", accept);
        platform.send(request.body(Body::empty()).unwrap()).await
    };
    let page = ask(BROWSER, "/foo").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.header("content-security-policy").is_some());
    assert!(page.text.contains("<p>There is nothing at <code>/foo</code>.</p>"), "{}", page.text);
    for accept in ["*/*", "application/json", "application/problem+json, text/html"] {
        assert_eq!(ask(accept, "/foo").await.json()["code"], "no_route", "{accept}");
    }
    let log = "/v1/deployments/00000000000000000000/logs";
    assert_eq!(ask(BROWSER, log).await.header("location"), Some("/login"));
    assert_eq!(ask("*/*", log).await.json()["code"], "unauthorized");
}
