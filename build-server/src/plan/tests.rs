//! Plans of small trees.

use super::*;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let file = directory.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    directory
}

/// A `PATH` with an `npm` on it.
fn with_npm() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let tools = tree(&[("npm", "")]);
    std::fs::set_permissions(tools.path().join("npm"), std::fs::Permissions::from_mode(0o755)).unwrap();
    tools
}

fn planned(files: &[(&str, &str)], settings: &BuildSettings) -> Result<Plan, Stop> {
    let (source, tools) = (tree(files), with_npm());
    plan(source.path(), settings, tools.path().as_os_str())
}

fn check(files: &[(&str, &str)], install: &str, build: &str, output: &Output) {
    let plan = planned(files, &BuildSettings::default()).unwrap();
    assert_eq!(plan.install.map(|step| step.line).unwrap_or_default(), install);
    assert_eq!(plan.build.map(|step| step.line).unwrap_or_default(), build);
    assert_eq!(&plan.output, output);
}

const VITE: &str = r#"{"scripts":{"build":"vite build"},"devDependencies":{"vite":"^8"}}"#;

#[test]
fn the_lockfile_decides_the_package_manager() {
    let dist = Output::Preset("dist".to_owned());
    let npm = "npm ci --no-audit --no-fund";
    check(&[("package.json", VITE), ("package-lock.json", "{}")], npm, "npm run build", &dist);
    check(
        &[("package.json", VITE), ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n")],
        "pnpm install --frozen-lockfile --prefer-offline",
        "pnpm run build",
        &dist,
    );
    check(
        &[("package.json", VITE), ("yarn.lock", "# yarn lockfile v1\n")],
        "yarn install --frozen-lockfile --non-interactive",
        "yarn run build",
        &dist,
    );
    check(
        &[("package.json", VITE), ("yarn.lock", "__metadata:\n  version: 8\n")],
        "yarn install --immutable",
        "yarn run build",
        &dist,
    );
    check(&[("package.json", VITE)], "npm install --no-audit --no-fund", "npm run build", &dist);
}

#[test]
fn plain_html_is_published_as_it_is() {
    check(&[("index.html", "hi")], "", "", &Output::Root);
    check(&[("index.html", "hi"), ("package.json", "{}")], "", "", &Output::Root);
}

#[test]
fn an_unknown_framework_is_discovered() {
    let package = r#"{"scripts":{"build":"node build.js"}}"#;
    check(
        &[("package.json", package)],
        "npm install --no-audit --no-fund",
        "npm run build",
        &Output::Discover,
    );
}

#[test]
fn settings_win() {
    let settings = BuildSettings {
        root: Some("site".to_owned()),
        install: Some("true".to_owned()),
        command: Some("make".to_owned()),
        node: None,
        output: Some("www".to_owned()),
    };
    let plan = planned(&[("site/package.json", VITE), ("package-lock.json", "{}")], &settings).unwrap();
    assert!(plan.root.ends_with("site"));
    assert_eq!(plan.install.unwrap().line, "true");
    assert_eq!(plan.build.unwrap().line, "make");
    assert_eq!(plan.output, Output::Setting("www".to_owned()));
    let lines = plan.decisions.lines();
    assert!(lines.iter().filter(|decision| decision.because == settings::BY_DEPLOYMENT).count() >= 4);
}

#[test]
fn a_workspace_is_installed_where_its_lockfile_is() {
    let settings = BuildSettings { root: Some("apps/web".to_owned()), ..BuildSettings::default() };
    let files = [("apps/web/package.json", VITE), ("package.json", "{}"), ("package-lock.json", "{}")];
    let plan = planned(&files, &settings).unwrap();
    let install = plan.install.unwrap();
    assert!(install.line.starts_with("npm ci"));
    assert!(!install.directory.ends_with("apps/web"));
    assert!(plan.build.unwrap().directory.ends_with("apps/web"));
}

#[test]
fn what_cannot_be_built_is_said() {
    let check = |files: &[(&str, &str)], settings: &BuildSettings, code| {
        let failure = planned(files, settings).unwrap_err().failure;
        assert_eq!(failure.code, code, "{failure}");
        assert!(failure.fix.is_some());
    };
    let none = BuildSettings::default();
    check(&[("README.md", "hi")], &none, FailureCode::PlanUnknown);
    check(&[("package.json", "{}")], &none, FailureCode::PlanUnknown);
    check(&[("package.json", "{")], &none, FailureCode::PlanSetting);
    let rooted = |root: &str| BuildSettings { root: Some(root.to_owned()), ..BuildSettings::default() };
    check(&[("index.html", "hi")], &rooted("docs"), FailureCode::PlanRoot);
    check(&[("index.html", "hi")], &rooted("../.."), FailureCode::PlanRoot);
    let strange = r#"{"scripts":{"build":"x"},"packageManager":"pnpm@9; rm -rf /"}"#;
    check(&[("package.json", strange)], &none, FailureCode::PlanSetting);
    let bun = [("package.json", VITE), ("bun.lock", "")];
    let strange = r#"{"scripts":{"build":"x"},"packageManager":"cargo@1"}"#;
    check(&[("package.json", strange)], &none, FailureCode::PlanToolMissing);
    let both = BuildSettings {
        install: Some("bun install".to_owned()),
        command: Some("bun run build".to_owned()),
        ..BuildSettings::default()
    };
    assert_eq!(planned(&bun, &both).unwrap().install.unwrap().line, "bun install");
}

#[test]
fn what_is_no_file_of_the_repository_is_not_opened() {
    for target in ["/proc/self/fd/0", "/etc/passwd", "."] {
        let source = tree(&[("index.html", "hi")]);
        std::os::unix::fs::symlink(target, source.path().join("package.json")).unwrap();
        let stop = plan(source.path(), &BuildSettings::default(), OsStr::new("")).unwrap_err();
        assert_eq!(stop.failure.code, FailureCode::PlanSetting, "{target}");
    }
    let source = tree(&[("package.json", VITE)]);
    std::os::unix::fs::symlink("/proc/self/fd/0", source.path().join("yarn.lock")).unwrap();
    let planned = plan(source.path(), &BuildSettings::default(), with_npm().path().as_os_str()).unwrap();
    assert!(planned.install.unwrap().line.starts_with("npm install"));
}

#[test]
fn without_node_the_tool_is_named() {
    let source = tree(&[("package.json", VITE)]);
    let stop = plan(source.path(), &BuildSettings::default(), OsStr::new("/nowhere")).unwrap_err();
    assert_eq!(stop.failure.code, FailureCode::PlanToolMissing);
}

/// What the plan says about `name`: its value, and the file that decided.
fn decided(files: &[(&str, &str)], name: &str) -> (String, Option<String>) {
    let plan = planned(files, &BuildSettings::default()).unwrap();
    let decision = plan.decisions.lines().into_iter().find(|decision| decision.name == name).expect(name);
    assert!(!decision.because.is_empty());
    (decision.value, decision.file)
}

fn refused(files: &[(&str, &str)]) -> Failure {
    planned(files, &BuildSettings::default()).unwrap_err().failure
}

#[test]
fn generators_are_told_from_those_that_they_are_made_of() {
    let check = |files: &[(&str, &str)], name: &str, output: &str| {
        assert_eq!(decided(files, "framework").0, name);
        assert_eq!(decided(files, "output").0, output, "{name}");
    };
    let package = |text: &'static str| ("package.json", text);
    check(
        &[package(
            r#"{"scripts":{"build":"astro build"},"dependencies":{"astro":"5","vite":"6","react":"19"}}"#,
        )],
        "Astro",
        "dist",
    );
    check(&[package(r#"{"devDependencies":{"vite":"8","solid-js":"1"}}"#)], "SolidJS (Vite)", "dist");
    let vitepress = r#"{"scripts":{"build":"vitepress build docs"},"devDependencies":{"vitepress":"1"}}"#;
    let config = ("docs/.vitepress/config.mts", "export default {}");
    check(&[package(vitepress), config], "VitePress", "docs/.vitepress/dist");
    let nearer = (".vitepress/config.mts", "export default { outDir: '../public' }");
    check(&[package(vitepress), nearer], "VitePress", "../public");
    let vite = r#"{"scripts":{"build":"vite build --outDir www"},"devDependencies":{"vite":"8"}}"#;
    check(&[package(vite)], "Vite", "www");
    let config = ("vite.config.ts", "export default { build: {\n// outDir: 'old',\noutDir: 'new' } }");
    check(&[package(VITE), config], "Vite", "new");
    check(
        &[package(r#"{"scripts":{"build":"x"},"dependencies":{"nuxt":"^2.17"}}"#)],
        "Nuxt (generate)",
        "dist",
    );
}

#[test]
fn a_server_is_refused_with_the_change_that_makes_files() {
    let check = |files: &[(&str, &str)], fix: &[&str]| {
        let failure = refused(files);
        assert_eq!(failure.code, FailureCode::PlanServerRendered, "{failure}");
        let told = failure.fix.unwrap();
        assert!(fix.iter().all(|part| told.contains(part)), "{told}");
    };
    let next = ("package.json", r#"{"scripts":{"build":"next build"},"dependencies":{"next":"15"}}"#);
    check(&[next], &[r#"`output: "export"`"#, "`next.config.ts`"]);
    let commented = ("next.config.mjs", "export default { /* output: 'export' */ }");
    check(&[next, commented], &[r#"`output: "export"`"#, "`next.config.mjs`"]);
    let exported = ("next.config.mjs", "export default { output: 'export' }");
    assert_eq!(decided(&[next, exported], "output").0, "out");
    let kit = r#"{"scripts":{"build":"vite build"},"devDependencies":{"@sveltejs/kit":"2","vite":"7"}}"#;
    check(&[("package.json", kit), ("svelte.config.js", "")], &["adapter-static", "`svelte.config.js`"]);
    let astro = ("package.json", r#"{"scripts":{"build":"astro build"},"dependencies":{"astro":"5"}}"#);
    check(&[astro, ("astro.config.mjs", "export default { output: \"server\" }")], &["`astro.config.mjs`"]);
    let router = r#"{"scripts":{"build":"x"},"devDependencies":{"@react-router/dev":"7","vite":"7"}}"#;
    check(&[("package.json", router), ("react-router.config.ts", "")], &["`ssr: false`"]);
    let settings = BuildSettings { command: Some("make".to_owned()), ..BuildSettings::default() };
    assert!(planned(&[next], &settings).is_ok(), "whoever names the command knows what it makes");
}

#[test]
fn a_script_that_makes_no_files_is_not_run() {
    let nuxt = r#"{"scripts":{"build":"nuxt build"},"dependencies":{"nuxt":"3"}}"#;
    assert_eq!(decided(&[("package.json", nuxt)], "build").0, "npx --no-install nuxt generate");
    assert_eq!(decided(&[("package.json", nuxt)], "output").0, ".output/public");
    let generate = r#"{"scripts":{"build":"nuxt generate"},"dependencies":{"nuxt":"3"}}"#;
    assert_eq!(decided(&[("package.json", generate)], "build").0, "npm run build");
}

#[test]
fn a_tie_is_told_and_the_script_decides() {
    let tied = |script: &str| {
        let package = format!(
            r#"{{"scripts":{{"build":"{script}"}},"dependencies":{{"hexo":"7","@observablehq/framework":"1"}}}}"#
        );
        let plan = planned(&[("package.json", &package)], &BuildSettings::default()).unwrap();
        let decision =
            plan.decisions.lines().into_iter().find(|decision| decision.name == "framework").unwrap();
        (decision.value, decision.because)
    };
    assert_eq!(tied("observable build").0, "Observable Framework");
    let (name, because) = tied("rm -rf x && hexo generate");
    assert_eq!(name, "Hexo");
    assert!(because.contains("of ") && because.contains("Observable Framework"), "{because}");
}

#[test]
fn files_of_the_project_say_how_it_is_built() {
    let files = [
        ("gitdeploy.toml", "[build]\nroot = \"site\"\ncommand = \"make all\""),
        ("site/gitdeploy.toml", "[build]\noutput = \"www\"\ncommand = \"make site\""),
        ("site/package.json", VITE),
    ];
    assert_eq!(decided(&files, "root"), ("site".to_owned(), Some("gitdeploy.toml".to_owned())));
    assert_eq!(decided(&files, "build").0, "make site");
    assert_eq!(decided(&files, "output").0, "www");
    let off = [("gitdeploy.toml", "[build]\ncommand = \"\""), ("index.html", "hi"), ("package.json", VITE)];
    assert_eq!(decided(&off, "build"), ("none".to_owned(), Some("gitdeploy.toml".to_owned())));
    let vercel = [("vercel.json", r#"{"installCommand":"","outputDirectory":"x"}"#), ("package.json", VITE)];
    assert_eq!(planned(&vercel, &BuildSettings::default()).unwrap().install.map(|step| step.line), None);
}

#[test]
fn the_directory_that_angular_writes_for_browsers_is_known() {
    let output = |project: &str| {
        let angular = format!(r#"{{"projects":{{"site":{{"architect":{{"build":{{{project}}}}}}}}}}}"#);
        let package = ("package.json", r#"{"dependencies":{"@angular/core":"22"}}"#);
        decided(&[package, ("angular.json", &angular)], "output").0
    };
    let application =
        |options: &str| output(&format!(r#""builder":"@angular/build:application","options":{{{options}}}"#));
    assert_eq!(application(""), "dist/site/browser");
    assert_eq!(application(r#""outputPath":"www""#), "www/browser");
    assert_eq!(application(r#""outputPath": {"base": "www"}"#), "www/browser");
    assert_eq!(application(r#""outputPath": {"base": "www", "browser": ""}"#), "www");
    let older = r#""builder":"@angular-devkit/build-angular:browser","options":{"outputPath":"dist/site"}"#;
    assert_eq!(output(older), "dist/site");
}

#[test]
fn sveltekit_3_is_configured_in_the_file_of_vite() {
    let kit = |adapter: &str| format!(r#"{{"devDependencies":{{"@sveltejs/kit":"3","vite":"8"{adapter}}}}}"#);
    let package = kit(r#","@sveltejs/adapter-static":"4""#);
    let vite = "export default { plugins: [sveltekit({ adapter: adapter({ pages: 'www' }) })] }";
    let files = [("package.json", package.as_str()), ("vite.config.js", vite)];
    assert_eq!(decided(&files, "output"), ("www".to_owned(), Some("vite.config.js".to_owned())));
    let package = kit("");
    let failure = refused(&[("package.json", &package), ("vite.config.js", "")]);
    assert!(failure.fix.unwrap().contains("`vite.config.js`"));
}

#[test]
fn the_site_of_a_workspace_is_found() {
    let top = ("package.json", r#"{"workspaces":["apps/*","packages/*"],"devDependencies":{"turbo":"2"}}"#);
    let web = (
        "apps/web/package.json",
        r#"{"name":"@me/web","scripts":{"build":"x"},"devDependencies":{"vite":"8"}}"#,
    );
    let library = ("packages/ui/package.json", r#"{"name":"@me/ui","scripts":{"build":"tsc"}}"#);
    let lockfile = ("package-lock.json", "{}");
    let files = [top, web, library, lockfile];
    assert_eq!(decided(&files, "root"), ("apps/web".to_owned(), Some("apps/web/package.json".to_owned())));
    assert_eq!(
        decided(&files, "build"),
        ("npm run build".to_owned(), Some("apps/web/package.json".to_owned()))
    );
    assert_eq!(decided(&files, "package_manager").1.as_deref(), Some("package-lock.json"));
    let with_turbo = [top, web, library, lockfile, ("turbo.json", "{}")];
    let plan = planned(&with_turbo, &BuildSettings::default()).unwrap();
    let build = plan.build.unwrap();
    assert_eq!(build.line, "npx --no-install turbo run build --filter=@me/web");
    assert!(!build.directory.ends_with("apps/web") && plan.root.ends_with("apps/web"));
    let docs = ("apps/docs/package.json", r#"{"scripts":{"build":"x"},"dependencies":{"astro":"5"}}"#);
    let failure = refused(&[top, web, docs, lockfile]);
    assert_eq!(failure.code, FailureCode::PlanRoot);
    assert_eq!(failure.fix.unwrap(), "say which one: `--root apps/docs` or `--root apps/web`");
    let pnpm = [
        ("package.json", r#"{"private":true}"#),
        ("pnpm-workspace.yaml", "packages:\n  - 'apps/*'\n"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
        web,
    ];
    assert_eq!(decided(&pnpm, "root").0, "apps/web");
    assert_eq!(decided(&pnpm, "package_manager").0, "pnpm 9");
}

#[test]
fn other_tools_than_node_are_planned_where_they_are() {
    let tools = tree(&[("python3", ""), ("hugo", ""), ("npm", "")]);
    for tool in ["python3", "hugo", "npm"] {
        use std::os::unix::fs::PermissionsExt as _;
        let path = tools.path().join(tool);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let check = |files: &[(&str, &str)], install: &str, build: &str, output: &str| {
        let source = tree(files);
        let plan = plan(source.path(), &BuildSettings::default(), tools.path().as_os_str()).unwrap();
        assert_eq!(plan.install.map(|step| step.line).unwrap_or_default(), install);
        assert_eq!(plan.build.unwrap().line, build);
        assert_eq!(plan.output, Output::Preset(output.to_owned()));
    };
    let mkdocs = ("mkdocs.yml", "site_name: x\nsite_dir: public\n");
    check(&[mkdocs], "python3 -m venv ~/.venv && pip install 'mkdocs'", "mkdocs build", "public");
    let needs = ("requirements.txt", "mkdocs==1.6\n");
    check(
        &[mkdocs, needs],
        "python3 -m venv ~/.venv && pip install -r requirements.txt",
        "mkdocs build",
        "public",
    );
    let sphinx = [("docs/conf.py", "extensions = []"), ("docs/requirements.txt", "sphinx")];
    check(
        &sphinx,
        "python3 -m venv ~/.venv && pip install -r docs/requirements.txt",
        "python -m sphinx -b html docs docs/_build/html",
        "docs/_build/html",
    );
    check(&[("config.toml", "baseURL = 'https://host/'")], "", "hugo --gc --minify", "public");
    let zola = refused(&[("config.toml", "base_url = 'https://host/'")]);
    assert_eq!(zola.code, FailureCode::PlanToolMissing);
    assert!(zola.cause.contains("`zola`"), "{zola}");
}

#[test]
fn finished_files_are_found_where_they_usually_lie() {
    check(&[("public/index.html", "hi"), ("README.md", "")], "", "", &Output::Setting("public".to_owned()));
    check(&[("public/index.html", "hi"), ("index.html", "hi")], "", "", &Output::Root);
}

#[test]
fn the_history_is_wanted_where_the_site_shows_it() {
    let package = ("package.json", r#"{"scripts":{"build":"x"},"devDependencies":{"vitepress":"1"}}"#);
    let history = |config: &'static str| {
        let files = [package, (".vitepress/config.mts", config)];
        planned(&files, &BuildSettings::default()).unwrap().history
    };
    assert!(history("export default { lastUpdated: true }").is_some());
    assert_eq!(history("export default { /* lastUpdated: true */ }"), None);
}
