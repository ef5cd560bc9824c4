//! `gitdeploy plan`: no platform runs, nothing is built.

use gitdeploy_test::git::Repository;
use serde_json::{Value, json};

use crate::harness::{Machine, Ran, git, text};

/// Everything that a plan decides, in order.
const NAMES: &[&str] = &["root", "framework", "package_manager", "node", "install", "build", "output"];

const VITE: &str = r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"^8"}}"#;

async fn plan(machine: &Machine, arguments: &[&str]) -> Ran {
    Ran::of(machine.program(&[&["plan"], arguments].concat()).start()).await
}

async fn plan_as_json(machine: &Machine, arguments: &[&str]) -> Value {
    let ran = plan(machine, &[arguments, &["--json"]].concat()).await;
    assert_eq!((ran.exit_code, ran.stdout.len()), (0, 1), "{ran:#?}");
    serde_json::from_str(&ran.stdout[0]).unwrap()
}

fn value(decided: &str, because: &str, file: &str) -> Value {
    json!({ "value": decided, "because": because, "file": file })
}

#[tokio::test]
async fn every_value_has_its_rule_and_its_file() {
    let machine = Machine::new();
    let site = machine.site(
        "site",
        &[
            ("package.json", "{}"),
            ("package-lock.json", "{}"),
            ("gitdeploy.toml", "[build]\nroot = \"web\""),
            ("web/package.json", VITE),
            ("web/vite.config.js", "export default { build: { outDir: 'www' } }"),
            ("web/.nvmrc", "*"),
        ],
    );
    let plan = plan_as_json(&machine, &[text(&site)]).await;
    let names: Vec<_> = plan.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(names.len() == NAMES.len() && NAMES.iter().all(|name| names.contains(name)), "{names:?}");
    assert_eq!(plan["root"], value("web", "`build.root` in `gitdeploy.toml`", "gitdeploy.toml"));
    assert_eq!(plan["framework"], value("Vite", "the package needs `vite`", "web/package.json"));
    assert_eq!(plan["package_manager"], value("npm", "its lockfile", "package-lock.json"));
    assert_eq!(plan["node"]["file"], "web/.nvmrc");
    let install = "npm ci --no-audit --no-fund";
    assert_eq!(plan["install"], value(install, "it installs what the lockfile says", "package-lock.json"));
    assert_eq!(plan["build"], value("npm run build", "the package has a `build` script", "web/package.json"));
    assert_eq!(plan["output"], value("www", "`vite.config.js` says so", "web/vite.config.js"));

    let options = ["--root", ".", "--install", "", "--command", "make", "--output", "out", "--node", "22"];
    let plan = plan_as_json(&machine, &[&[text(&site)], &options[..]].concat()).await;
    let by_option = |decided: Value| json!({ "value": decided, "because": "the settings of the deployment say so", "file": null });
    for (name, expected) in [("root", json!(".")), ("build", json!("make")), ("output", json!("out"))] {
        assert_eq!(plan[name], by_option(expected));
    }
    assert_eq!(plan["install"], by_option(Value::Null));
    assert_eq!(
        plan["package_manager"],
        json!({ "value": null, "because": "both commands are named", "file": null })
    );
    assert!(plan["node"]["because"].as_str().unwrap().ends_with(": `22`"), "{plan:#}");
}

#[tokio::test]
async fn the_log_of_a_build_begins_with_the_same_lines() {
    let machine = Machine::new();
    for files in [
        &[("index.html", "hi")][..],
        &[
            ("gitdeploy.toml", "[build]\ncommand = \"mkdir www; echo hi >www/index.html\"\noutput = \"www\""),
            (".nvmrc", "22"),
        ],
    ] {
        let site = machine.site("site", files);
        let plan = plan(&machine, &[text(&site)]).await;
        assert_eq!(plan.exit_code, 0, "{plan:#?}");
        assert_eq!(plan.stdout.len(), NAMES.len(), "{plan:#?}");
        for (line, name) in plan.stdout.iter().zip(NAMES) {
            assert!(line.starts_with(&format!("{name}: ")) && line.ends_with(')'), "{line}");
        }
        assert!(!machine.data().exists() && !site.join("www").exists(), "a plan makes nothing");
        let up = machine.up(&[text(&site)]).await;
        up.url().await;
        let id = machine.list().await[0]["id"].as_str().unwrap().to_owned();
        let log = machine.run(&["logs", &id]).await.stdout;
        let begin = log.iter().position(|line| line == "--- plan").unwrap() + 1;
        assert_eq!(log[begin..][..NAMES.len()], plan.stdout);
        assert_eq!(up.interrupt().await, 0);
        std::fs::remove_dir_all(machine.data()).unwrap();
    }
}

#[tokio::test]
async fn why_there_is_no_plan_is_said_with_what_to_do() {
    let machine = Machine::new();
    let next = r#"{"scripts":{"build":"next build"},"dependencies":{"next":"15"}}"#;
    let site = machine.site("next", &[("package.json", next), ("next.config.mjs", "export default {}")]);
    for json in [&[][..], &["--json"]] {
        let ran = plan(&machine, &[&[text(&site)], json].concat()).await;
        ran.assert_refused(1, "makes a server and not files [plan.server_rendered]");
        let fix = ran.stderr.iter().find(|line| line.starts_with("  fix ")).unwrap();
        assert!(fix.contains(r#"`output: "export"`"#) && fix.contains("`next.config.mjs`"), "{fix}");
    }
    let site = machine.site("nothing", &[("README.md", "hi")]);
    plan(&machine, &[text(&site)]).await.assert_refused(1, "[plan.unknown]");
    plan(&machine, &[text(&site), "--root", "web"]).await.assert_refused(1, "[plan.root]");
    plan(&machine, &["nowhere"]).await.assert_refused(2, "neither a directory nor the address");
    plan(&machine, &[text(&site), "--ref", "main"]).await.assert_refused(2, "`--ref` goes with a git URL");
}

#[tokio::test]
async fn a_repository_is_cloned_for_its_plan() {
    let machine = Machine::new();
    let repository = Repository::new()
        .file("docs/index.html", "hi")
        .commit("One")
        .branch("dev")
        .file("docs/package.json", VITE)
        .commit("Two")
        .switch("main");
    let server = git(&repository).await;
    let url = server.url("site");
    assert_eq!(plan_as_json(&machine, &[&url]).await["output"]["value"], "docs");
    let dev = plan_as_json(&machine, &[&url, "--ref", "dev", "--root", "docs"]).await;
    assert_eq!((&dev["framework"]["value"], &dev["root"]["value"]), (&json!("Vite"), &json!("docs")));
    plan(&machine, &[&url, "--ref", "none"]).await.assert_refused(1, "[clone.reference]");
    let refused = machine.program(&["plan", &url]).var("GITDEPLOY_BUILD_ALLOW_SCHEMES", "https");
    Ran::of(refused.start()).await.assert_refused(1, "[clone.address]");
    let refused = machine.program(&["plan", &url]).var("GITDEPLOY_BUILD_CLONE_SECONDS", "soon");
    Ran::of(refused.start()).await.assert_refused(2, "GITDEPLOY_BUILD_CLONE_SECONDS");
    server.require_login("site", "x-access-token", "a-long-token");
    plan(&machine, &[&url]).await.assert_refused(1, "[clone.auth]");
    let host = server.address().to_string();
    let login = [("GITDEPLOY_GIT_TOKEN", "a-long-token"), ("GITDEPLOY_GIT_HOST", &host)];
    let program = login
        .iter()
        .fold(machine.program(&["plan", &url]), |program, (name, value)| program.var(name, value));
    let ran = Ran::of(program.start()).await;
    assert_eq!(ran.exit_code, 0, "{ran:#?}");
}

#[tokio::test]
async fn a_directory_is_planned_as_it_is_within_its_repository() {
    let machine = Machine::new();
    let repository =
        Repository::new().file("package-lock.json", "{}").file("web/package.json", VITE).commit("One");
    let site = repository.path().join("web");
    let committed = plan(&machine, &[text(&site)]).await;
    assert!(committed.stderr.is_empty(), "{committed:#?}");
    assert!(
        committed.stdout[0].starts_with("root: web (") && committed.stdout[4].contains("npm ci"),
        "{committed:#?}"
    );
    std::fs::write(site.join("gitdeploy.toml"), "[build]\noutput = \"new\"").unwrap();
    let changed = plan(&machine, &[text(&site)]).await;
    assert!(changed.stdout[6].starts_with("output: new ("), "{changed:#?}");
    assert!(changed.stderr[0].contains("what is not committed is not deployed"), "{changed:#?}");
}
