//! Rules about the workspace itself: who may import whom, who owns which outside library, and what no
//! source file may hold.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// What each member may import of ours. `gitdeploy-test` is missing in every list: it is for tests only.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("gitdeploy-core", &[]),
    ("gitdeploy-bus", &["gitdeploy-core"]),
    ("gitdeploy-runtime", &["gitdeploy-core"]),
    ("gitdeploy-store", &["gitdeploy-core"]),
    ("gitdeploy-test", &["gitdeploy-core"]),
    ("build-server", &["gitdeploy-bus", "gitdeploy-core", "gitdeploy-runtime", "gitdeploy-store"]),
    ("request-handler", &["gitdeploy-bus", "gitdeploy-core", "gitdeploy-runtime", "gitdeploy-store"]),
    ("upload-service", &["gitdeploy-bus", "gitdeploy-core", "gitdeploy-runtime", "gitdeploy-store"]),
    ("fuzz", &["request-handler"]),
    (
        "gitdeploy",
        &[
            "build-server",
            "gitdeploy-bus",
            "gitdeploy-core",
            "gitdeploy-runtime",
            "gitdeploy-store",
            "request-handler",
            "upload-service",
        ],
    ),
];

/// The one member that may use an outside library, so that a change of it is felt in one place.
const OWNERS: &[(&str, &str)] = &[
    ("argon2", "gitdeploy-core"),
    ("aws-lc-rs", "upload-service"),
    ("aws-sdk-dynamodb", "upload-service"),
    ("aws-sdk-ecs", "upload-service"),
    ("aws-sdk-kms", "upload-service"),
    ("aws-sdk-s3", "gitdeploy-store"),
    ("aws-sdk-sqs", "upload-service"),
    ("aws-sdk-sts", "upload-service"),
    ("axum", "upload-service"),
    ("envy", "gitdeploy-runtime"),
    ("git2", "build-server"),
    ("hyper", "request-handler"),
    ("hyper-util", "request-handler"),
    ("ipnet", "request-handler"),
    ("libfuzzer-sys", "fuzz"),
    ("prometheus-client", "request-handler"),
    ("proxy-header", "request-handler"),
    ("redis", "gitdeploy-bus"),
    ("rpassword", "gitdeploy"),
    ("rusqlite", "upload-service"),
    ("rusqlite_migration", "upload-service"),
    ("socket2", "request-handler"),
    ("tokio-rustls", "request-handler"),
];

/// How the names of libraries begin that wait, listen or draw random numbers.
const NOT_IN_CORE: &[&str] =
    &["async-", "futures", "getrandom", "hyper", "nix", "rand", "reqwest", "tempfile", "tokio"];

/// How code looks that waits, reads a clock or reaches out of the process.
const IMPURE: &[&str] = &[
    ".await",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "async fn",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
];

/// What is not left behind. Spelled in two parts, because this file is read too.
const UNFINISHED: &[&str] = &[
    concat!("#[", "ignore"),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
];

/// Where `unsafe` may stand: git2 has no safe way to bound how long libgit2 waits, nor to give it a transport.
const UNSAFE: &[&str] = &["build-server/src/source/clone.rs", "build-server/src/source/http.rs"];

/// How values of `Cache-Control` are recognised, the one file of the proxy that may hold them, and one that is about
/// bytes: what is sent to connections that there is no room to serve.
const CACHE_CONTROL: &[&str] = &["max-age=", "no-store", "must-revalidate"];
const CACHE_POLICY: &str = "request-handler/src/cache_policy.rs";
const TURNED_AWAY: &str = "request-handler/src/connection/turned_away.rs";

/// The longest source file, in lines without its tests.
const MAX_LINES: usize = 400;

#[test]
fn members_import_only_what_the_architecture_allows() {
    assert_tidy(&members().iter().flat_map(import_breaches).collect::<Vec<_>>());
}

#[test]
fn an_outside_library_has_one_owner() {
    assert_tidy(&members().iter().flat_map(owner_breaches).collect::<Vec<_>>());
}

#[test]
fn versions_and_lints_are_in_the_root_manifest() {
    assert_tidy(&members().iter().flat_map(inheritance_breaches).collect::<Vec<_>>());
}

#[test]
fn core_does_no_io() {
    let members = members();
    let core = members.iter().find(|member| member.name == "gitdeploy-core").unwrap();
    let mut breaches = core_dependency_breaches(core);
    for source in sources(core).iter().filter(|source| source.is_production()) {
        breaches.extend(impure_lines(source));
    }
    assert_tidy(&breaches);
}

#[test]
fn nothing_is_left_unfinished() {
    assert_tidy(&all_sources().iter().flat_map(unfinished_lines).collect::<Vec<_>>());
}

#[test]
fn unsafe_code_stands_in_one_place() {
    let sources = all_sources();
    let others = sources.iter().filter(|source| !UNSAFE.iter().any(|path| source.path == Path::new(path)));
    assert_tidy(&others.flat_map(unsafe_lines).collect::<Vec<_>>());
}

#[test]
fn source_files_are_short_and_say_what_they_are_for() {
    let mut breaches = Vec::new();
    for source in all_sources().iter().filter(|source| source.is_production()) {
        breaches.extend(length_breach(source));
        if !source.text.starts_with("//! ") {
            breaches.push(format!("{}: the first line does not say what it is for", source.path.display()));
        }
    }
    assert_tidy(&breaches);
}

#[test]
fn one_file_of_the_proxy_says_how_long_answers_are_kept() {
    let members = members();
    let proxy = members.iter().find(|member| member.name == "request-handler").unwrap();
    let sources = sources(proxy);
    let (exempt, others): (Vec<_>, Vec<_>) = sources
        .iter()
        .filter(|source| source.is_production())
        .partition(|source| [CACHE_POLICY, TURNED_AWAY].iter().any(|path| source.path == Path::new(path)));
    assert_eq!(exempt.len(), 2);
    assert_tidy(&others.into_iter().flat_map(cache_control_lines).collect::<Vec<_>>());
}

#[test]
fn the_decisions_that_comments_refer_to_exist() {
    let root = root();
    let mut breaches = Vec::new();
    for source in all_sources() {
        for (at, _) in source.text.match_indices("docs/adr/") {
            let named = source.text[at..].split(['`', ' ', ')', '\n', '"', ',']).next().unwrap_or_default();
            if named.len() > "docs/adr/".len() && !root.join(named).is_file() {
                breaches.push(format!("{}: there is no `{named}`", source.path.display()));
            }
        }
    }
    assert_tidy(&breaches);
}

#[test]
fn every_rule_sees_its_breach() {
    let member = |name: &str, manifest: &str| Member {
        name: name.to_owned(),
        folder: PathBuf::new(),
        manifest: manifest.parse().unwrap(),
    };
    let core = member("gitdeploy-core", "[dependencies]\ntokio-util.workspace = true\nserde = \"1\"");
    assert_eq!(core_dependency_breaches(&core).len(), 1);
    assert_eq!(inheritance_breaches(&core).len(), 2);
    assert_eq!(inheritance_breaches(&member("x", "[lints]\nworkspace = true")), [""; 0]);

    let proxy = "[dependencies]\nupload-service.workspace = true\n[dev-dependencies]\nredis.workspace = true";
    assert_eq!(import_breaches(&member("request-handler", proxy)).len(), 1);
    assert_eq!(owner_breaches(&member("request-handler", proxy)), [""; 0]);
    assert_eq!(import_breaches(&member("a-new-member", "")).len(), 1);

    let tested = "[dependencies]\ngitdeploy-test.workspace = true";
    assert_eq!(import_breaches(&member("gitdeploy", tested)).len(), 1);
    let targeted = "[target.'cfg(unix)'.dependencies]\nbus = { package = \"redis\", workspace = true }";
    assert_eq!(owner_breaches(&member("upload-service", targeted)).len(), 1);

    let source = |text: String| Source { path: PathBuf::from("src/lib.rs"), text };
    assert_eq!(impure_lines(&source("// std::fs\nstd::fs::read(path)".to_owned())).len(), 1);
    assert_eq!(unfinished_lines(&source(format!("fn f() {{}} // {}: more", UNFINISHED[1]))).len(), 1);
    assert_eq!(unsafe_lines(&source(format!("{} {{ call() }}", "unsafe"))).len(), 1);
    assert_eq!(cache_control_lines(&source("\"public, max-age=60\"".to_owned())).len(), 1);
    let long = "\n".repeat(MAX_LINES + 1);
    assert!(length_breach(&source(long.clone())).is_some());
    assert!(length_breach(&source(format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{{long}}}"))).is_none());
}

fn assert_tidy(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

fn import_breaches(member: &Member) -> Vec<String> {
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == member.name) else {
        return vec![format!("{}: nothing says what it may import", member.name)];
    };
    let dependencies = member.dependencies();
    let ours =
        dependencies.iter().filter(|dependency| MAY_IMPORT.iter().any(|(ours, _)| ours == *dependency));
    ours.filter(|dependency| !allowed.contains(&dependency.as_str()))
        .map(|dependency| format!("{} may not import {dependency}", member.name))
        .collect()
}

fn owner_breaches(member: &Member) -> Vec<String> {
    if member.name == "gitdeploy-test" {
        return Vec::new();
    }
    let dependencies = member.dependencies();
    let foreign = OWNERS.iter().filter(|(library, owner)| {
        *owner != member.name && dependencies.iter().any(|dependency| dependency == library)
    });
    foreign.map(|(library, owner)| format!("{} uses {library}, which {owner} owns", member.name)).collect()
}

fn inheritance_breaches(member: &Member) -> Vec<String> {
    let inherited = |value: Option<&Value>| {
        value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
    };
    let mut breaches = Vec::new();
    if !inherited(member.manifest.get("lints")) {
        breaches.push(format!("{} does not inherit the lints of the workspace", member.name));
    }
    for (table, dependencies) in member.dependency_tables(&["dependencies", "dev-dependencies"]) {
        for (dependency, value) in dependencies {
            if !inherited(Some(value)) {
                breaches.push(format!("{}: {table}: {dependency} has a version of its own", member.name));
            }
        }
    }
    breaches
}

fn core_dependency_breaches(core: &Member) -> Vec<String> {
    let dependencies = core.dependencies();
    let impure = dependencies.iter().filter(|name| NOT_IN_CORE.iter().any(|start| name.starts_with(start)));
    impure.map(|dependency| format!("gitdeploy-core depends on {dependency}")).collect()
}

fn impure_lines(source: &Source) -> Vec<String> {
    source.lines_with(IMPURE, |line| !line.trim_start().starts_with("//"))
}

fn unfinished_lines(source: &Source) -> Vec<String> {
    source.lines_with(UNFINISHED, |_| true)
}

fn unsafe_lines(source: &Source) -> Vec<String> {
    source.lines_with(&[concat!("unsafe", " {"), concat!("unsafe", " fn")], |_| true)
}

/// Lines outside of comments and tests.
fn cache_control_lines(source: &Source) -> Vec<String> {
    let production = source.text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let production = Source { path: source.path.clone(), text: production.to_owned() };
    production.lines_with(CACHE_CONTROL, |line| !line.trim_start().starts_with("//"))
}

fn length_breach(source: &Source) -> Option<String> {
    let production = source.text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = production.lines().count();
    (lines > MAX_LINES).then(|| format!("{}: {lines} lines; at most {MAX_LINES}", source.path.display()))
}

/// A package of the workspace.
struct Member {
    name: String,
    folder: PathBuf,
    manifest: Table,
}

impl Member {
    fn read(folder: &Path) -> Self {
        let manifest = read_manifest(folder);
        let name = manifest["package"]["name"].as_str().expect("a package has a name").to_owned();
        Self { name, folder: folder.to_owned(), manifest }
    }

    /// The libraries that end up in what the member makes, without those of its tests.
    fn dependencies(&self) -> Vec<String> {
        let tables = self.dependency_tables(&["dependencies", "build-dependencies"]);
        let dependencies = tables.into_iter().flat_map(|(_, table)| table);
        let name = |(name, value): (&String, &Value)| {
            value.get("package").and_then(Value::as_str).map_or_else(|| name.clone(), ToOwned::to_owned)
        };
        dependencies.map(name).collect()
    }

    /// The tables of these names, at the top and under each `[target.…]`.
    fn dependency_tables<'a>(&'a self, names: &[&'a str]) -> Vec<(&'a str, &'a Table)> {
        let targets = self.manifest.get("target").and_then(Value::as_table);
        let targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
        let places: Vec<&Table> = std::iter::once(&self.manifest).chain(targets).collect();
        let in_place = |place: &'a Table| {
            let tables = names.iter().map(|name| (*name, place.get(*name).and_then(Value::as_table)));
            tables.filter_map(|(name, table)| Some((name, table?))).collect::<Vec<_>>()
        };
        places.into_iter().flat_map(in_place).collect()
    }
}

/// A file of Rust.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Whether it is part of what a member makes, and not only of its tests.
    fn is_production(&self) -> bool {
        let is_tests = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
        !self.path.components().any(|part| is_tests(part.as_os_str()))
    }

    fn lines_with(&self, texts: &[&str], counts: impl Fn(&str) -> bool) -> Vec<String> {
        let lines = self.text.lines().enumerate();
        lines
            .filter(|(_, line)| counts(line) && texts.iter().any(|text| line.contains(text)))
            .map(|(index, line)| format!("{}:{}: {}", self.path.display(), index + 1, line.trim()))
            .collect()
    }
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the package is two folders below the root").to_owned()
}

fn members() -> Vec<Member> {
    let root = root();
    let manifest = read_manifest(&root);
    let patterns = manifest["workspace"]["members"].as_array().expect("the workspace lists its members");
    let folders =
        patterns.iter().filter_map(Value::as_str).flat_map(|pattern| match pattern.strip_suffix("/*") {
            Some(parent) => entries(&root.join(parent)),
            None => vec![root.join(pattern)],
        });
    folders.filter(|folder| folder.join("Cargo.toml").is_file()).map(|folder| Member::read(&folder)).collect()
}

fn read_manifest(folder: &Path) -> Table {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn all_sources() -> Vec<Source> {
    members().iter().flat_map(sources).collect()
}

/// The Rust files of a member, with their paths from the root of the workspace.
fn sources(member: &Member) -> Vec<Source> {
    let root = root();
    let mut sources = Vec::new();
    let mut folders = vec![member.folder.clone()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("source files are text");
                let path = path.strip_prefix(&root).expect("members are below the root").to_owned();
                sources.push(Source { path, text });
            }
        }
    }
    sources
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder can be listed").path()).collect();
    paths.sort();
    paths
}
