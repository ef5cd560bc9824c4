//! `gitdeploy protect`, and what visitors see of it.

use reqwest::Method;

use crate::harness::{Machine, Ran, Up, text};

/// Says who may see the site; `input` is the standard input.
async fn protect(machine: &Machine, arguments: &[&str], input: &str) -> Ran {
    let program = machine.command(&[&["protect", "blog"], arguments].concat());
    Ran::of(program.input(input).start()).await
}

/// A visit with a form.
async fn give(up: &Up, url: &str, password: &str) -> reqwest::Response {
    let form = format!("password={}", password.replace(' ', "+").replace('\n', "%0A"));
    let request = up.request(Method::POST, url).body(form);
    request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()
}

#[tokio::test]
async fn a_password_and_maintenance_hold_at_once_and_until_they_are_taken_away() {
    let machine = Machine::new();
    let up = machine.up(&[]).await;
    let url = machine.deploy(&[text(&machine.site("blog", &[("index.html", "the front page")]))]).await;
    let said = |ran: &Ran| {
        assert_eq!(ran.exit_code, 0, "{ran:#?}");
        ran.stdout.join("\n")
    };
    assert_eq!(said(&protect(&machine, &[], "").await), "everybody sees the site");
    assert_eq!(up.get(&url).await, (200, "the front page".to_owned()));

    let locked = protect(&machine, &["--password-stdin"], "correct horse\nmore\n").await;
    assert_eq!(said(&locked), "who knows the password sees the site");
    let (status, page) = up.get(&url).await;
    assert!(status == 401 && page.contains("This site has a password"), "{page}");
    assert_eq!(give(&up, &url, "correct horse\nmore").await.status(), 401);
    let entered = give(&up, &url, "correct horse").await;
    assert_eq!((entered.status().as_u16(), entered.headers()["location"].to_str().unwrap()), (303, "/"));
    let cookie = entered.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let visit = async || {
        let request = up.request(Method::GET, &url).header("cookie", &cookie);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(visit().await, (200, "the front page".to_owned()));

    // A later deployment is behind the same password, and who is in stays in.
    machine.deploy(&[text(&machine.site("blog", &[("index.html", "another page")]))]).await;
    assert_eq!(up.get(&url).await.0, 401);
    assert_eq!(visit().await, (200, "another page".to_owned()));
    for deployment in machine.list().await {
        let own = up.page(deployment["id"].as_str().unwrap()).await;
        assert_eq!(own.0, 401, "{own:?}");
    }

    let closed = protect(&machine, &["--maintenance"], "").await;
    assert_eq!(said(&closed), "nobody sees the site: it is in maintenance; then, who knows the password");
    assert_eq!(visit().await.0, 503);
    assert_eq!(
        said(&protect(&machine, &["--maintenance=off"], "").await),
        "who knows the password sees the site"
    );
    assert_eq!(visit().await.0, 200);
    assert_eq!(said(&protect(&machine, &["--off"], "").await), "everybody sees the site");
    assert_eq!(up.get(&url).await, (200, "another page".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_done_is_said_with_exit_code_2() {
    let machine = Machine::new();
    let _up = machine.up(&[]).await;
    let unknown = protect(&machine, &["--maintenance"], "").await;
    unknown.assert_refused(2, "there is no project with a production `blog`");
    machine.deploy(&[text(&machine.site("blog", &[("index.html", "hi")]))]).await;
    for input in ["", "\n", "short\n"] {
        protect(&machine, &["--password"], input)
            .await
            .assert_refused(2, "a password has 8 characters or more");
    }
    for wrong in [&["--off", "--maintenance"][..], &["--off", "--password"], &["--maintenance=maybe"]] {
        assert_eq!(protect(&machine, wrong, "").await.exit_code, 2, "{wrong:?}");
    }
}
