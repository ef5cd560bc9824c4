//! Which site generator a project uses, where its output will lie, and whether it makes files.

use gitdeploy_core::{Failure, FailureCode};

use super::evidence::{Evidence, Proof};
use super::preset::{OutputRule, PRESETS, Preset};
use super::tree::Tree;
use crate::stop::Stop;

/// The site generator of a project.
#[derive(Debug)]
pub(super) struct Detected {
    pub(super) preset: &'static Preset,
    /// Why it is this one, and not another that fits too.
    pub(super) proof: Proof,
    /// What `{dir}` stands for.
    directory: String,
}

/// Where a generator puts its output, and why there.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) output: String,
    /// The build command that goes with it.
    pub(super) build: Option<String>,
    pub(super) proof: Proof,
}

/// The site generator of the project in `tree`, if it is one that is known.
pub(super) fn detect(tree: &Tree<'_>) -> Option<Detected> {
    let fitting: Vec<_> = PRESETS.iter().filter_map(|preset| fits(preset, tree)).collect();
    let best = fitting.first()?.preset.priority;
    let mut best: Vec<_> = fitting.into_iter().take_while(|found| found.preset.priority == best).collect();
    if best.len() == 1 {
        return best.pop();
    }
    let names: Vec<_> = best.iter().map(|found| found.preset.name.as_str()).collect();
    let names = names.join(", ");
    let script = tree.package.and_then(|package| package.script("build")).unwrap_or_default();
    let chosen = best.iter().position(|found| {
        let tool = found.preset.build.as_deref().and_then(|build| build.split(' ').next());
        tool.is_some_and(|tool| script.split([' ', ';', '&', '|']).any(|word| word == tool))
    });
    let mut chosen = best.swap_remove(chosen.unwrap_or_default());
    chosen.proof.because = format!("{} (of {names})", chosen.proof.because);
    Some(chosen)
}

fn fits(preset: &'static Preset, tree: &Tree<'_>) -> Option<Detected> {
    let mut directories = preset.directories.iter();
    let directory = directories
        .find(|directory| tree.has(&format!("{directory}/{}", preset.marker)))
        .or(preset.directories.first());
    let directory = directory.cloned().unwrap_or_default();
    if any(&preset.none, tree, &directory).is_some() {
        return None;
    }
    let proofs: Option<Vec<_>> = preset.detect.iter().map(|group| any(group, tree, &directory)).collect();
    let proof = proofs?.into_iter().next()?;
    Some(Detected { preset, proof, directory })
}

fn any(evidence: &[Evidence], tree: &Tree<'_>, directory: &str) -> Option<Proof> {
    evidence.iter().find_map(|evidence| evidence.holds(tree, directory))
}

impl Detected {
    /// A text of the preset, with the directory in the place of `{dir}`.
    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("{dir}/", if self.directory == "." { "" } else { "{dir}/" })
            .replace("{dir}", &self.directory)
    }

    /// Where the output will lie.
    pub(super) fn place(&self, tree: &Tree<'_>) -> Place {
        self.preset.outputs.iter().find_map(|rule| self.apply(rule, tree)).unwrap_or_else(|| Place {
            output: self.fill(&self.preset.output),
            build: None,
            proof: Proof {
                because: format!("{} writes there", self.preset.name),
                file: self.proof.file.clone(),
            },
        })
    }

    fn apply(&self, rule: &OutputRule, tree: &Tree<'_>) -> Option<Place> {
        let package = "package.json".to_owned();
        let (group, because, file) = if let (Some(name), Some(pattern)) = (&rule.file, &rule.pattern) {
            let files = tree.files(&self.fill(name));
            let found = files.into_iter().find_map(|file| {
                let text = tree.text(&file)?;
                let group = pattern.captures(&text)?.get(1).map_or("", |group| group.as_str()).to_owned();
                Some((group, file))
            });
            let (group, file) = found?;
            (group, format!("`{file}` says so"), file)
        } else if let Some(pattern) = &rule.script {
            let script = tree.package?.script("build")?;
            let group = pattern.captures(script)?.get(1).map_or("", |group| group.as_str()).to_owned();
            (group, "the `build` script says so".to_owned(), package)
        } else {
            let name = rule.dependency.as_ref()?;
            let major = tree.package?.major_of(name)?;
            let fits =
                rule.below.is_none_or(|below| major < below) && rule.from.is_none_or(|from| major >= from);
            let because = fits.then(|| format!("the package needs `{name}` {major}"))?;
            (String::new(), because, package)
        };
        let output = self.fill(&rule.output.replace("{1}", &group));
        let output = output.trim_start_matches("./").trim_end_matches('/').to_owned();
        Some(Place { output, build: rule.build.clone(), proof: Proof { because, file } })
    }

    /// Refuses a configuration that makes a server, with the change that makes it files.
    pub(super) fn check_static(&self, tree: &Tree<'_>) -> Result<(), Stop> {
        let Preset { name, unbuildable, files, .. } = self.preset;
        let refuse = |cause: String, fix: &str| {
            Err(Stop::author(Failure::new(FailureCode::PlanServerRendered, cause).fix(fix)))
        };
        if let Some(reason) = unbuildable {
            return refuse(
                format!("{name} sites cannot be served as files: {reason}"),
                "build it for another platform",
            );
        }
        let Some(rule) = files else { return Ok(()) };
        let refused = any(&rule.refuses, tree, &self.directory).is_some();
        let lacking = !rule.needs.is_empty() && any(&rule.needs, tree, &self.directory).is_none();
        if !refused && !lacking {
            return Ok(());
        }
        let config = rule.config.iter().find(|config| tree.has(config));
        let config = config.or(rule.config.first()).map_or("", String::as_str);
        let cause = format!("as it is configured, {name} makes a server and not files");
        refuse(cause, &rule.fix.replace("{config}", config))
    }

    /// Why the build looks at the history of the repository, if it does.
    pub(super) fn history(&self, tree: &Tree<'_>) -> Option<Proof> {
        any(&self.preset.history, tree, &self.directory)
    }
}
