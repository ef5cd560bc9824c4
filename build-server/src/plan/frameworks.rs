//! `docs/frameworks.md` says of every preset what the presets say, and which of the projects that are built for real use
//! it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::evidence::Evidence;
use super::preset::{OutputRule, PRESETS, Preset};

/// What stands above and below the tables of the page.
const BEGIN: &str =
    "<!-- made of presets.toml and projects.toml: a test compares them, and prints what it should be -->\n";
const END: &str = "<!-- end -->\n";

/// An entry of `projects.toml`.
#[derive(Debug, Deserialize)]
struct Project {
    directory: String,
    preset: Option<String>,
    manager: Option<String>,
    tests: Option<String>,
}

#[test]
fn the_page_says_what_is_known_and_built() {
    let page = std::fs::read_to_string(root().join("docs/frameworks.md")).unwrap();
    let (_, tables) = page.split_once(BEGIN).expect("the page has tables");
    let (tables, _) = tables.split_once(END).expect("the tables have an end");
    let wanted = format!("\n{}\n{}\n", generators(&projects()), managers(&projects()));
    assert!(tables == wanted, "the tables of docs/frameworks.md should be these:\n{wanted}");
}

/// A project without an entry would never be built.
#[test]
fn every_project_is_listed_and_every_listed_one_is_there() {
    let projects = projects();
    for project in &projects {
        assert!(root().join(&project.directory).is_dir(), "{project:?}");
        let known = |slug: &String| *slug == "static" || PRESETS.iter().any(|preset| preset.slug == *slug);
        assert!(project.preset.as_ref().is_none_or(known), "{project:?}");
    }
    for parent in ["build-server/tests/projects", "examples"] {
        for entry in root().join(parent).read_dir().unwrap() {
            let entry = entry.unwrap();
            let directory = format!("{parent}/{}", entry.file_name().to_string_lossy());
            if !entry.path().is_dir() {
                continue;
            }
            assert!(projects.iter().any(|project| project.directory == directory), "{directory}");
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn projects() -> Vec<Project> {
    #[derive(Deserialize)]
    struct List {
        project: Vec<Project>,
    }
    toml::from_str::<List>(include_str!("../../tests/projects.toml")).unwrap().project
}

fn generators(projects: &[Project]) -> String {
    let mut presets: Vec<_> = PRESETS.iter().collect();
    presets.sort_by_key(|preset| preset.name.to_lowercase());
    let mut table =
        String::from("| generator | recognised by | output | built for real |\n|---|---|---|---|\n");
    for preset in presets {
        let cells = [preset.name.clone(), recognised(preset), output(preset), built(preset, projects)];
        writeln!(table, "| {} |", cells.map(|cell| cell.replace('|', r"\|")).join(" | ")).unwrap();
    }
    table
}

fn recognised(preset: &Preset) -> String {
    let groups: Vec<_> = preset.detect.iter().map(|group| alternatives(group)).collect();
    groups.join("; and ").replace("{dir}/", "")
}

fn alternatives(group: &[Evidence]) -> String {
    let mut shown: Vec<String> = Vec::new();
    for evidence in group {
        let text = match evidence {
            Evidence::Dependency(name) if shown.is_empty() => format!("package `{name}`"),
            Evidence::Dependency(name) | Evidence::File(name) => format!("`{name}`"),
            Evidence::Text(name, _) => format!("what `{name}` says"),
            Evidence::Script(text) => format!("the script `{text}`"),
        };
        if !shown.contains(&text) {
            shown.push(text);
        }
    }
    listed(&shown)
}

/// `a`, `a or b`, `a, b or c`.
fn listed(items: &[String]) -> String {
    match items {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => items.concat(),
    }
}

fn output(preset: &Preset) -> String {
    let (mut says, mut others) = (Vec::new(), Vec::new());
    for OutputRule { file, dependency, below, from, output, .. } in &preset.outputs {
        if let Some(name) = dependency {
            let below = below.map(|below| format!(" below {below}"));
            let from = from.map(|from| format!(" from {from} on"));
            others.push(format!(
                "`{output}` with `{name}`{}{}",
                below.unwrap_or_default(),
                from.unwrap_or_default()
            ));
        } else {
            let source =
                file.as_ref().map_or_else(|| "the `build` script".to_owned(), |file| format!("`{file}`"));
            if !says.contains(&source) {
                says.push(source);
            }
        }
    }
    let mut shown = vec![format!("`{}`", preset.output)];
    shown.extend(others);
    if !says.is_empty() {
        shown.push(format!("what {} says", listed(&says)));
    }
    shown.join("; ")
}

fn built(preset: &Preset, projects: &[Project]) -> String {
    if preset.unbuildable.is_some() {
        return "refused: it makes no files".to_owned();
    }
    let uses = |project: &&Project| project.preset.as_ref() == Some(&preset.slug);
    let built: Vec<_> = projects.iter().filter(uses).map(link).collect();
    if built.is_empty() { "planned only".to_owned() } else { built.join(", ") }
}

fn managers(projects: &[Project]) -> String {
    let mut table = String::from("| package manager | built for real |\n|---|---|\n");
    let mut names: Vec<_> = projects.iter().filter_map(|project| project.manager.as_ref()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let built = projects.iter().filter(|project| project.manager.as_ref() == Some(name));
        writeln!(table, "| {name} | {} |", built.map(link).collect::<Vec<_>>().join(", ")).unwrap();
    }
    table
}

fn link(project: &Project) -> String {
    let Project { directory, tests, .. } = project;
    let name = directory.rsplit('/').next().unwrap();
    let by = if tests.is_some() { "tests" } else { "bench" };
    format!("[{name}](../{directory}) ({by})")
}
