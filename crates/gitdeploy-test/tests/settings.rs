//! `docs/settings.md` names every variable that the code reads, and no other; nor does any message or page name
//! a variable that nobody reads.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gitdeploy_test::binary::workspace;

const PAGE: &str = "docs/settings.md";

/// What the variables of a section start with, and the struct whose fields they are.
const SECTIONS: &[(&str, &str, &str)] = &[
    ("GITDEPLOY_API_", "upload-service/src/config.rs", "Config"),
    ("GITDEPLOY_BUILD_", "build-server/src/config.rs", "Config"),
    ("GITDEPLOY_BUS_", "crates/gitdeploy-bus/src/config.rs", "BusConfig"),
    ("GITDEPLOY_CATALOG_", "upload-service/src/catalog/config.rs", "CatalogConfig"),
    ("GITDEPLOY_CATALOG_", "upload-service/src/keyring/mod.rs", "KeyringConfig"),
    ("GITDEPLOY_ECS_", "upload-service/src/launcher/ecs/config.rs", "EcsConfig"),
    ("GITDEPLOY_LEND_", "upload-service/src/lend/config.rs", "LendConfig"),
    ("GITDEPLOY_LOG_", "crates/gitdeploy-runtime/src/telemetry.rs", "LogConfig"),
    ("GITDEPLOY_PROXY_", "request-handler/src/config.rs", "Config"),
    ("GITDEPLOY_STORE_", "crates/gitdeploy-store/src/config.rs", "StoreConfig"),
];

/// Where the variables that a launcher sets are constants.
const CONSTANTS: &[&str] = &["crates/gitdeploy-core/src/claim.rs", "crates/gitdeploy-core/src/spec.rs"];

type Names = BTreeSet<String>;

#[test]
fn the_page_names_every_variable_that_is_read_and_no_other() {
    assert_none(&page_breaches(&read(PAGE), &known()));
}

#[test]
fn no_file_names_a_variable_that_nobody_reads() {
    let known = known();
    let files = files(&["rs", "md", "html"]);
    assert_none(&files.iter().flat_map(|file| mention_breaches(file, &known)).collect::<Vec<_>>());
}

#[test]
fn every_section_that_is_read_is_one_of_ours() {
    assert_none(&files(&["rs"]).iter().flat_map(section_breaches).collect::<Vec<_>>());
}

#[test]
fn every_rule_sees_its_breach() {
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Names>();
    let config = "pub struct Config {\n    /// Where.\n    pub listen: SocketAddr,\n    #[serde(skip)]\n    \
                  /// Not read.\n    pub access: Access,\n    pub(crate) grace_seconds: u64,\n}\npub struct Other {\n    pub x: u8,\n}\n";
    assert_eq!(fields(config, "Config"), ["listen", "grace_seconds"]);
    assert_eq!(strings("set(\"GIT_REF\", 'x');\n// \"no\"\nlet y = \"a\";"), ["GIT_REF", "a"]);

    let page =
        "`GITDEPLOY_ELSEWHERE` in a sentence\n| variable | default |\n|---|---|\n| `GIT_REF` | none |\n";
    assert_eq!(page_breaches(page, &names(&["GIT_REF"])), [""; 0]);
    assert_eq!(
        page_breaches(page, &names(&["GIT_REF", "PROJECT_ID"])),
        ["docs/settings.md does not name `PROJECT_ID`"]
    );
    assert_eq!(page_breaches(page, &names(&[])), ["docs/settings.md names `GIT_REF`, which nobody reads"]);
    assert_eq!(
        page_breaches(&page.repeat(2), &names(&["GIT_REF"])),
        ["docs/settings.md names `GIT_REF` twice"]
    );

    let file = |text: &str| File { path: PathBuf::from("x.rs"), text: text.to_owned() };
    let mention = file("`GITDEPLOY_API_*`, GITDEPLOY_<COMPONENT>, raise `GITDEPLOY_API_LISTENS`");
    assert_eq!(
        mention_breaches(&mention, &names(&["GITDEPLOY_API_LISTEN"])),
        ["x.rs:1: nobody reads `GITDEPLOY_API_LISTENS`"]
    );
    assert_eq!(section_breaches(&file("section(\n    \"GITDEPLOY_NEW_\", &vars)")).len(), 1);
    assert_eq!(section_breaches(&file("section(\"GITDEPLOY_API_\", &vars)")), [""; 0]);
}

fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

/// The variables that the code reads, and those that it gives to builds.
fn known() -> Names {
    let mut known = Names::new();
    for (prefix, path, name) in SECTIONS {
        let fields = fields(&production(&read(path)), name);
        assert!(!fields.is_empty(), "`{name}` is not in {path}");
        known.extend(fields.iter().map(|field| format!("{prefix}{}", field.to_uppercase())));
    }
    for path in CONSTANTS {
        let text = production(&read(path));
        let constants = text.lines().filter(|line| line.trim_start().starts_with("pub const "));
        let constants: Vec<_> = constants.flat_map(strings).collect();
        assert!(!constants.is_empty(), "no constants are in {path}");
        known.extend(constants);
    }
    for file in files(&["rs"]) {
        let ours =
            strings(&file.text).into_iter().filter(|text| text.starts_with("GITDEPLOY") && is_name(text));
        // A name within a section is read only if it is a field or a constant, which are known already.
        known.extend(ours.filter(|name| !SECTIONS.iter().any(|(prefix, ..)| name.starts_with(prefix))));
    }
    known
}

fn page_breaches(page: &str, known: &Names) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut named = Names::new();
    for name in table_names(page) {
        if !known.contains(&name) {
            breaches.push(format!("{PAGE} names `{name}`, which nobody reads"));
        }
        if named.contains(&name) {
            breaches.push(format!("{PAGE} names `{name}` twice"));
        }
        named.insert(name);
    }
    breaches.extend(known.difference(&named).map(|name| format!("{PAGE} does not name `{name}`")));
    breaches
}

fn mention_breaches(file: &File, known: &Names) -> Vec<String> {
    let mut breaches = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let words = line.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        let names = words.filter(|word| word.starts_with("GITDEPLOY_") && is_name(word));
        for name in names.filter(|name| !known.contains(*name)) {
            breaches.push(format!("{}:{}: nobody reads `{name}`", file.path.display(), index + 1));
        }
    }
    breaches
}

fn section_breaches(file: &File) -> Vec<String> {
    // What all sections start with is none itself.
    let is_section =
        |text: &String| text.starts_with("GITDEPLOY_") && text.ends_with('_') && text != "GITDEPLOY_";
    let prefixes = strings(&file.text).into_iter().filter(is_section);
    let foreign = prefixes.filter(|prefix| !SECTIONS.iter().any(|(ours, ..)| ours == prefix));
    foreign.map(|prefix| format!("{}: `{prefix}` is no section that is known", file.path.display())).collect()
}

/// What stands in the first column of the tables whose head begins with `variable`.
fn table_names(page: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut in_table = false;
    for line in page.lines() {
        let first = line.strip_prefix('|').and_then(|line| line.split('|').next()).map(str::trim);
        in_table = first.is_some_and(|cell| in_table || cell == "variable");
        names.extend(
            first
                .filter(|_| in_table)
                .and_then(|cell| cell.strip_prefix('`')?.strip_suffix('`'))
                .map(str::to_owned),
        );
    }
    names
}

/// The fields of a struct, without those that are not read from variables.
fn fields(source: &str, name: &str) -> Vec<String> {
    let head = format!("pub struct {name} {{");
    let mut fields = Vec::new();
    let mut is_skipped = false;
    for line in source.lines().skip_while(|line| *line != head).skip(1).take_while(|line| *line != "}") {
        let line = line.trim();
        if line.starts_with("#[serde(skip)]") {
            is_skipped = true;
        } else if line.starts_with("pub") {
            let declared = line.split_once(": ").and_then(|(before, _)| before.rsplit(' ').next());
            fields.extend(declared.filter(|_| !is_skipped).map(str::to_owned));
            is_skipped = false;
        }
    }
    fields
}

/// The texts between quotes, line by line and without comments.
fn strings(source: &str) -> Vec<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2).map(str::to_owned)).collect()
}

fn is_name(word: &str) -> bool {
    let allowed =
        |character: char| character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_';
    word.chars().all(allowed) && !word.ends_with('_')
}

/// A file of the workspace; of Rust files only what ends up in a program.
struct File {
    path: PathBuf,
    text: String,
}

/// The files of these kinds, except tests, what only tests use, and what is built or fetched.
fn files(extensions: &[&str]) -> Vec<File> {
    const PASSED_OVER: &[&str] = &["target", "node_modules", "tests", "gitdeploy-test"];
    let root = workspace();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("folders can be listed") {
            let path = entry.expect("folders can be listed").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with('.') || PASSED_OVER.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| extensions.iter().any(|known| ending == *known)) {
                let path = path.strip_prefix(&root).expect("it is below the root").to_owned();
                let text = production(&read(&path));
                found.push(File { path, text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn production(source: &str) -> String {
    source.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
