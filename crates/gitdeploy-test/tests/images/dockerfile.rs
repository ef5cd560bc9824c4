//! As much of a Dockerfile as the rules look at.

/// A Dockerfile, one instruction a line.
pub(crate) struct Dockerfile {
    /// Its file name.
    pub(crate) name: String,
    /// The file as it is.
    pub(crate) text: String,
    /// What stands before the first stage.
    pub(crate) arguments: Vec<String>,
    /// Its stages, in order.
    pub(crate) stages: Vec<Stage>,
}

/// What begins with a `FROM`.
pub(crate) struct Stage {
    /// Its name, or nothing.
    pub(crate) name: String,
    /// What it starts from.
    pub(crate) base: String,
    /// Its instructions, without the `FROM`.
    pub(crate) lines: Vec<String>,
}

impl Dockerfile {
    /// Reads a Dockerfile: comments are left out, continued lines are joined.
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
        let mut file =
            Self { name: name.to_owned(), text: text.to_owned(), arguments: Vec::new(), stages: Vec::new() };
        for line in joined.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(from) = line.strip_prefix("FROM ") {
                let (base, name) = from.split_once(" AS ").unwrap_or((from, ""));
                file.stages.push(Stage { name: name.to_owned(), base: base.to_owned(), lines: Vec::new() });
            } else {
                let place = file.stages.last_mut().map_or(&mut file.arguments, |stage| &mut stage.lines);
                place.push(line.to_owned());
            }
        }
        file
    }

    /// The default of an argument that stands before the first stage.
    pub(crate) fn argument(&self, name: &str) -> Option<&str> {
        self.arguments
            .iter()
            .find_map(|line| line.strip_prefix("ARG ")?.strip_prefix(name)?.strip_prefix('='))
    }

    /// The stages that become images: on which no other stage stands, and from which none copies.
    pub(crate) fn images(&self) -> impl Iterator<Item = &Stage> {
        let is_used = |name: &str| {
            let copy = format!("COPY --from={name} ");
            let uses =
                |stage: &Stage| stage.base == name || stage.lines.iter().any(|line| line.starts_with(&copy));
            !name.is_empty() && self.stages.iter().any(uses)
        };
        self.stages.iter().filter(move |stage| !is_used(&stage.name))
    }

    /// The instructions of a stage and of those that it stands on, in order.
    pub(crate) fn inherited<'a>(&'a self, stage: &'a Stage) -> Vec<&'a str> {
        let base = self.stages.iter().find(|other| other.name == stage.base);
        let mut lines = base.map(|base| self.inherited(base)).unwrap_or_default();
        lines.extend(stage.lines.iter().map(String::as_str));
        lines
    }
}

impl Stage {
    /// Whether a program is compiled in it.
    pub(crate) fn compiles(&self, program: &str) -> bool {
        let package = format!("-p {program} ");
        self.lines.iter().any(|line| line.contains("cargo build ") && format!("{line} ").contains(&package))
    }
}
