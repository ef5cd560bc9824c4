//! The directories of a workspace's packages, as `package.json` or `pnpm-workspace.yaml` name them.

use globset::{Glob, GlobBuilder, GlobMatcher};

use super::package::Package;
use super::tree::Tree;

/// How many directories are looked at, and how deep below a pattern that means any depth.
const MOST_DIRECTORIES: usize = 10_000;
const DEEPEST: usize = 8;

/// How many packages of a workspace are looked at.
const MOST_PACKAGES: usize = 500;

/// What package managers never look into.
const SKIPPED: &[&str] = &["node_modules", "bower_components"];

/// The patterns of a workspace.
#[derive(Debug, Default)]
pub(super) struct Members {
    wanted: Vec<String>,
    unwanted: Vec<GlobMatcher>,
}

impl Members {
    /// The patterns at the root of a workspace; none where it is not one.
    pub(super) fn of(tree: &Tree<'_>, package: &Package) -> Self {
        let mut patterns = package.workspaces();
        if patterns.is_empty() {
            patterns = of_pnpm(&tree.whole_text("pnpm-workspace.yaml").unwrap_or_default());
        }
        let mut members = Self::default();
        for pattern in patterns {
            match pattern.strip_prefix('!') {
                Some(pattern) => members.unwanted.extend(matcher(plain(pattern))),
                None => members.wanted.push(plain(&pattern).to_owned()),
            }
        }
        members
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// The directories with a `package.json` that the patterns mean, relative to the project's and in order.
    pub(super) fn directories(&self, tree: &Tree<'_>) -> Vec<String> {
        let mut left = MOST_DIRECTORIES;
        let mut found: Vec<_> =
            self.wanted.iter().flat_map(|pattern| below(tree, pattern, &mut left)).collect();
        found.retain(|directory| {
            let is_unwanted = self.unwanted.iter().any(|pattern| pattern.is_match(directory));
            !is_unwanted && tree.has(&format!("{directory}/package.json"))
        });
        found.sort();
        found.dedup();
        found.truncate(MOST_PACKAGES);
        found
    }
}

/// The directories that a pattern such as `packages/*`, `packages/**` or `apps/web` means.
fn below(tree: &Tree<'_>, pattern: &str, left: &mut usize) -> Vec<String> {
    let is_fixed = |segment: &&str| !segment.contains(['*', '?', '[', '{']);
    let fixed: Vec<_> = pattern.split('/').take_while(is_fixed).collect();
    let above = fixed.join("/");
    if above == pattern {
        return vec![above];
    }
    let Some(matcher) = matcher(pattern) else { return Vec::new() };
    let varying = pattern.split('/').skip(fixed.len());
    let depth = if pattern.contains("**") { DEEPEST } else { varying.count() };
    if !above.is_empty() && !tree.has(&above) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut level = vec![above];
    for _ in 0..depth {
        level = level.iter().flat_map(|above| children(tree, above, left)).collect();
        found.extend(level.iter().filter(|directory| matcher.is_match(directory)).cloned());
    }
    found
}

fn children(tree: &Tree<'_>, above: &str, left: &mut usize) -> Vec<String> {
    let mut found = Vec::new();
    for entry in tree.root.join(above).read_dir().into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        // `file_type` does not follow links.
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_directory || name.starts_with('.') || SKIPPED.contains(&name.as_str()) {
            continue;
        }
        let Some(fewer) = left.checked_sub(1) else { break };
        *left = fewer;
        found.push(if above.is_empty() { name } else { format!("{above}/{name}") });
    }
    found
}

/// `*` stands for a part of one name.
fn matcher(pattern: &str) -> Option<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.as_ref().map(Glob::compile_matcher).ok()
}

fn plain(pattern: &str) -> &str {
    pattern.trim_start_matches("./").trim_end_matches('/')
}

/// The items of `packages` in `pnpm-workspace.yaml`, in either of the two ways in which YAML writes a list.
fn of_pnpm(text: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("packages:"));
    let Some(first) = lines.next().and_then(|line| line.strip_prefix("packages:")) else { return Vec::new() };
    let first = first.trim();
    if let Some(flow) = first.strip_prefix('[') {
        let flow = flow.rsplit_once(']').map_or(flow, |(items, _)| items);
        return flow.split(',').filter_map(scalar).collect();
    }
    let items = lines.take_while(|line| line.trim().is_empty() || line.starts_with([' ', '\t', '-', '#']));
    items.filter_map(|line| line.trim_start().strip_prefix('-')).filter_map(scalar).collect()
}

/// A text of YAML, in quotes or not, without the comment that may follow.
fn scalar(text: &str) -> Option<String> {
    let text = text.trim();
    let quoted = ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.split(quote).next());
    let value = quoted.unwrap_or_else(|| match text.strip_prefix('#') {
        Some(_) => "",
        None => text.split(" #").next().unwrap_or_default().trim_end(),
    });
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)], packages: &[&str]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let packages = packages.iter().map(|name| (format!("{name}/package.json"), "{}"));
        let files = files.iter().map(|(name, content)| ((*name).to_owned(), *content)).chain(packages);
        for (name, content) in files {
            let file = root.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        let package = Package::read(root, root).unwrap().unwrap();
        let tree = Tree { source: root, root, package: Some(&package) };
        Members::of(&tree, &package).directories(&tree)
    }

    #[test]
    fn patterns_mean_directories_with_a_package() {
        let check = |workspaces: &str, packages: &[&str], expected: &[&str]| {
            let package = format!(r#"{{"workspaces":{workspaces}}}"#);
            assert_eq!(found(&[("package.json", &package)], packages), expected, "{workspaces}");
        };
        let all = ["apps/web", "packages/ui", "packages/deep/er/one", "packages/ui/node_modules/x", "other"];
        check(r#"["apps/*"]"#, &all, &["apps/web"]);
        check(r#"["./apps/web/", "packages/*"]"#, &all, &["apps/web", "packages/ui"]);
        check(r#"["packages/**"]"#, &all, &["packages/deep/er/one", "packages/ui"]);
        check(r#"["**"]"#, &all, &["apps/web", "other", "packages/deep/er/one", "packages/ui"]);
        check(r#"["packages/**/one"]"#, &all, &["packages/deep/er/one"]);
        check(r#"["**", "!packages/**", "!**/other"]"#, &all, &["apps/web"]);
        check(r#"["!apps/web", "apps/*"]"#, &all, &[]);
        check(r#"{"packages":["{apps,packages}/*"]}"#, &all, &["apps/web", "packages/ui"]);
        check(r#"["packages/u?", "pack*/de[e]p/*/*"]"#, &all, &["packages/deep/er/one", "packages/ui"]);
        check(r#"["none/*", "../*", "[", "*/../*"]"#, &all, &[]);
    }

    #[test]
    fn pnpm_writes_its_patterns_as_yaml() {
        let check = |yaml: &str, expected: &[&str]| assert_eq!(of_pnpm(yaml), expected, "{yaml}");
        check("packages:\n  - 'apps/*'\n  - \"docs\"\n", &["apps/*", "docs"]);
        check(
            "packages: # ours\n- apps/* # sites\n\n# more\n- '!**/test/**'  # not these\ncatalog:\n  - x\n",
            &["apps/*", "!**/test/**"],
        );
        check("packages:\n  # - 'old/*'\n  - # nothing\n  - 'a#b'\n  - c#d\n", &["a#b", "c#d"]);
        check("onlyBuilt:\n  - x\npackages: ['apps/*', docs] # both\n", &["apps/*", "docs"]);
        check("catalog:\n  x: 1\n", &[]);
        let yaml = "packages:\n  - '**' # all\n  - '!**/fixtures/**'\n";
        let files = [("package.json", "{}"), ("pnpm-workspace.yaml", yaml)];
        assert_eq!(found(&files, &["site", "test/fixtures/site"]), ["site"]);
    }
}
