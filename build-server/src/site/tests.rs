use gitdeploy_core::manifest::Rules;
use gitdeploy_core::rules::{Dialect, HtmlHandling, Spa};

use super::*;
use crate::config::Config;
use crate::output::walk;

/// A project with its output in `out`.
struct Project(tempfile::TempDir);

impl Project {
    fn with(files: &[(&str, &str)]) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        project.write("out/index.html", "hi");
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.0.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    /// The rules, and the paths that are published.
    fn read(&self) -> (Rules, Vec<String>) {
        let mut files =
            walk(&self.0.path().join("out"), false, crate::sandbox::Owner::ours(), &Config::default())
                .unwrap();
        let rules = rules(&mut files, Some(self.0.path()), self.0.path());
        (rules, files.iter().map(|file| file.path.to_string()).collect())
    }

    fn problems(&self) -> Vec<String> {
        self.read().0.problems.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn rules_are_read_from_the_output_and_are_not_published() {
    let project = Project::with(&[
        ("out/_redirects", "/a /b\n"),
        ("out/_headers", "/*\n  x-a: b\n"),
        ("out/gitdeploy.toml", "[serve]\nspa = \"off\"\nhtml_handling = \"drop\"\n"),
        ("out/docs/_redirects", "/c /d\n"),
    ]);
    let (rules, published) = project.read();
    assert_eq!(published, ["docs/_redirects", "index.html"]);
    assert_eq!(rules.redirects[0].status, 302);
    assert_eq!(rules.headers[0].set[0].0, "x-a");
    assert_eq!((rules.serve.spa, rules.serve.html_handling), (Spa::Off, HtmlHandling::Drop));
    assert_eq!(rules.problems, []);
    assert_eq!(summary(&rules).as_deref(), Some("1 redirect, 1 path with headers"));
}

#[test]
fn the_dialect_follows_the_files_that_are_there() {
    let netlify = ("netlify.toml", "[build]\npublish = \"out\"\n");
    let ours = ("gitdeploy.toml", "[serve]\nredirects = \"cloudflare\"\n");
    let silent = ("gitdeploy.toml", "[build]\noutput = \"out\"\n");
    let rule = ("out/_redirects", "/a /b\n");
    for (files, dialect, status) in [
        (vec![rule], Dialect::Cloudflare, 302),
        (vec![rule, netlify], Dialect::Netlify, 301),
        (vec![rule, netlify, silent], Dialect::Netlify, 301),
        (vec![rule, netlify, ours], Dialect::Cloudflare, 302),
        (
            vec![rule, ours, ("out/gitdeploy.toml", "[serve]\nredirects = \"netlify\"\n")],
            Dialect::Netlify,
            301,
        ),
    ] {
        let (rules, _) = Project::with(&files).read();
        assert_eq!((rules.serve.redirects, rules.redirects[0].status), (dialect, status), "{files:?}");
    }
}

#[test]
fn netlify_toml_means_the_same_rules_after_those_of_the_files() {
    let text = r#"
[[redirects]]
from = "/old/*"
to = "/new/:splat"

[[redirects]]
from = "/"
to = "/de"
status = 302
force = true
conditions = { Country = ["DE", "at"], Language = "de" }
query = { id = ":id" }

[[redirects]]
from = "/a"
to = "/c"

[[redirects]]
from = "/api/*"
to = "https://api.example.com/:splat"
status = 200

[[redirects]]
to = "/nowhere"

[[headers]]
for = "/*"
  [headers.values]
  X-Frame-Options = "DENY"
  Server = "mine"
  Cache-Control = '''
  max-age=0,
  no-cache'''
"#;
    let project = Project::with(&[("out/_redirects", "/a /b 301\n"), ("netlify.toml", text)]);
    let (rules, _) = project.read();
    let redirects = rules.redirects.iter().map(|rule| {
        let conditions = format!("{:?} {:?} {}", rule.country, rule.language, rule.query.len());
        format!("{} {} {} {} {conditions}", rule.from.as_str(), rule.to.as_str(), rule.status, rule.force)
    });
    assert_eq!(
        redirects.collect::<Vec<_>>(),
        [
            "/a /b 301 false [] [] 0",
            "/old/* /new/:splat 301 false [] [] 0",
            "/ /de 302 true [\"de\", \"at\"] [\"de\"] 1",
        ]
    );
    let headers: Vec<_> =
        rules.headers[0].set.iter().map(|(name, value)| format!("{name}: {}", value.as_str())).collect();
    assert_eq!(headers, ["cache-control: max-age=0, no-cache", "x-frame-options: DENY"]);
    let problems: Vec<_> =
        rules.problems.iter().map(|problem| (problem.line, problem.reason.as_str())).collect();
    let expected = [
        (14, "a rule with the same source"),
        (18, "must lie in this site"),
        (23, "missing field `from`"),
        (26, "belongs to the server"),
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
    for ((line, reason), (expected_line, expected)) in problems.iter().zip(expected) {
        assert_eq!(*line, Some(expected_line), "{reason}");
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn what_is_wrong_or_not_read_is_told() {
    for (files, expected) in [
        (vec![("out/_redirects", "/a\n")], "`_redirects`, line 1: the target is missing"),
        (vec![("_redirects", "/a /b\n")], "`_redirects`: it lies beside the sources"),
        (vec![("out/gitdeploy.toml", "[serve\n")], "`gitdeploy.toml`, line 1: "),
        (vec![("gitdeploy.toml", "serve = 1")], "`serve` is no table"),
        (
            vec![("gitdeploy.toml", "[serve]\nspa = \"never\"")],
            "`spa` in `[serve]` is not understood: unknown variant",
        ),
        (vec![("gitdeploy.toml", "[serve]\ncolor = \"red\"")], "`color` in `[serve]` is not understood"),
        (vec![("netlify.toml", "a = \n")], "`netlify.toml`, line 1: "),
        (
            vec![("vercel.json", "{\"rewrites\": [], \"cleanUrls\": true}")],
            "`rewrites`, `cleanUrls` are not read",
        ),
    ] {
        let problems = Project::with(&files).problems();
        assert!(problems.len() == 1 && problems[0].contains(expected), "{files:?}: {problems:?}");
    }
    assert_eq!(Project::with(&[("vercel.json", "{\"outputDirectory\": \"out\"}")]).problems(), [""; 0]);
}

#[test]
fn a_file_of_rules_may_be_anything() {
    let project = Project::with(&[]);
    std::fs::write(project.0.path().join("out/_redirects"), b"/a /b\n/\xff /c\n/d /e\n").unwrap();
    std::fs::write(project.0.path().join("out/_headers"), vec![b'\n'; 5 << 20]).unwrap();
    std::os::unix::fs::symlink("/proc/self/environ", project.0.path().join("netlify.toml")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        project.0.path().join("gitdeploy.toml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let (rules, published) = project.read();
    assert_eq!(published, ["index.html"]);
    assert_eq!((rules.redirects.len(), rules.serve.redirects), (2, Dialect::Cloudflare));
    let problems: Vec<_> = rules.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "`_redirects`, line 2: the line is not UTF-8: save the file as UTF-8",
            "`_headers`: it is larger than 4 MiB and was not read",
        ]
    );
}

#[test]
fn the_first_problems_are_told_and_the_others_counted() {
    let (rules, _) = Project::with(&[("out/_redirects", &"/a\n".repeat(30))]).read();
    let notices = notices(&rules.problems);
    assert_eq!(notices.len(), 21);
    assert_eq!(notices[20], "10 more problems with rules are listed in the manifest");
}
