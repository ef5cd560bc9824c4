//! What can be said of the images without an engine: the Dockerfiles, what they are built from, the compose files
//! and `buildspec.yml`.

mod compose;
mod dockerfile;

use std::collections::BTreeSet;
use std::fs;

use compose::Compose;
use dockerfile::Dockerfile;
use gitdeploy_test::binary::workspace;

const DOCKERFILES: &[&str] = &["Dockerfile.builder", "Dockerfile.proxy", "Dockerfile.upload"];

const COMPOSE_FILES: &[&str] = &["compose.yaml", "compose.siblings.yaml"];

/// What every published image says of itself.
const LABELS: [&str; 5] = ["title", "description", "licenses", "version", "revision"];

/// What must stay out of the images, wherever it lies.
const HIDDEN: &[&str] = &["**/.env", "**/.env.*", "**/.git", "**/.gitdeploy", "**/target"];

/// What every service of a machine that builds strangers' packages is held to.
const HARDENING: &[&str] = &[
    "cap_drop: [ALL]",
    "logging:",
    "max-size:",
    "read_only: true",
    "restart: unless-stopped",
    "no-new-privileges:true",
];

/// Images whose user is root: builders, which give what they build another user, and what has docker's socket, which
/// is as good as root.
const ROOT: &[(&str, &str)] = &[
    ("Dockerfile.builder", "builder"),
    ("Dockerfile.builder", "platform"),
    ("Dockerfile.upload", "siblings"),
];

/// What a service gets back of root's capabilities if builders are its children.
const BUILDERS: &str = "cap_add: [CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID]";

#[test]
fn what_is_copied_is_there_and_built() {
    let exists = |path: &str| workspace().join(path).exists();
    let breaches = dockerfiles().into_iter().flat_map(|file| copy_breaches(&file, exists));
    assert_none(&breaches.collect::<Vec<_>>());
}

#[test]
fn bases_are_pinned_and_can_be_replaced() {
    assert_none(&dockerfiles().iter().flat_map(base_breaches).collect::<Vec<_>>());
}

#[test]
fn images_have_a_user_a_health_check_and_labels() {
    assert_none(&dockerfiles().iter().flat_map(image_breaches).collect::<Vec<_>>());
}

#[test]
fn no_dockerfile_holds_a_secret_or_a_setting_that_nobody_reads() {
    let known = known_settings();
    assert_none(&dockerfiles().iter().flat_map(|file| setting_breaches(file, &known)).collect::<Vec<_>>());
}

#[test]
fn one_compilation_serves_all_images() {
    assert_none(&shared_stage_breaches(&dockerfiles()));
}

#[test]
fn only_what_is_compiled_gets_into_the_context() {
    let exists = |path: &str| workspace().join(path).exists();
    assert_none(&ignore_breaches(&read(".dockerignore"), exists));
}

#[test]
fn services_are_hardened_pinned_and_checked() {
    assert_none(&service_breaches(&Compose::parse(&read("compose.yaml"))));
}

#[test]
fn compose_files_hold_no_secret_and_build_what_there_is() {
    let (known, dockerfiles) = (known_settings(), dockerfiles());
    let check = |name: &&str| {
        let file = Compose::parse(&read(name));
        let mut breaches = compose_breaches(name, &file, &known);
        breaches.extend(target_breaches(name, &file, &dockerfiles));
        breaches
    };
    assert_none(&COMPOSE_FILES.iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn codebuild_makes_exactly_these_images() {
    let in_tree: BTreeSet<String> = fs::read_dir(workspace())
        .expect("the workspace can be listed")
        .filter_map(|entry| entry.expect("entries can be read").file_name().into_string().ok())
        .filter(|name| name.starts_with("Dockerfile"))
        .collect();
    assert_eq!(in_tree.iter().map(String::as_str).collect::<Vec<_>>(), DOCKERFILES);
    assert_none(&buildspec_breaches(&read("buildspec.yml"), &in_tree));
}

#[test]
fn every_rule_sees_its_breach() {
    let docker = |text: &str| Dockerfile::parse("Dockerfile.x", text);
    let nothing = |_: &str| false;
    let built = "ARG RUST_IMAGE=x\nFROM ${RUST_IMAGE} AS programs\nRUN cargo build -p one \\\n    -p two\n";
    let copied = |line: &str| copy_breaches(&docker(&format!("{built}FROM scratch\n{line}\n")), nothing);
    assert_eq!(copied("COPY --from=programs --chown=1:1 /programs/one /programs/two /bin/"), [""; 0]);
    assert_eq!(copied("COPY --from=programs /programs/three /bin/").len(), 1);
    assert_eq!(copied("COPY --from=nowhere /x /bin/").len(), 1);
    assert_eq!(copied("COPY . /bin/").len(), 1);
    assert_eq!(copied("ADD https://host/x /bin/").len(), 1);

    let digest = format!("x@sha256:{}", "0".repeat(64));
    assert_eq!(base_breaches(&docker(&format!("ARG A={digest}\nFROM ${{A}} AS a\nFROM a\n"))), [""; 0]);
    assert_eq!(base_breaches(&docker("ARG A=x:latest\nFROM ${A}\n")).len(), 1);
    assert_eq!(base_breaches(&docker(&format!("FROM {digest}\n"))).len(), 1);
    assert_eq!(base_breaches(&docker("# syntax=docker/dockerfile:1\n")).len(), 1);

    let labels = LABELS.map(|label| format!("org.opencontainers.image.{label}=x")).join(" ");
    let image = |lines: &str| image_breaches(&docker(&format!("FROM x AS a\nLABEL {labels}\n{lines}\n")));
    assert_eq!(image("USER 10:10\nHEALTHCHECK CMD [\"x\"]\nFROM a\nENTRYPOINT [\"y\"]"), [""; 0]);
    assert_eq!(image("USER 10:10\nHEALTHCHECK CMD [\"x\"]\nUSER root").len(), 1);
    assert_eq!(image("USER 0:0\nHEALTHCHECK CMD [\"x\"]").len(), 1);
    assert_eq!(image("HEALTHCHECK NONE").len(), 1);
    assert_eq!(image("USER 10:10").len(), 1);
    let unlabelled = docker("FROM x\nUSER 1:1\nHEALTHCHECK NONE\nLABEL org.opencontainers.image.title=x");
    assert_eq!(image_breaches(&unlabelled).len(), LABELS.len() - 1);

    let known = BTreeSet::from(["GITDEPLOY_API_LISTEN".to_owned()]);
    let set = |line: &str| setting_breaches(&docker(&format!("FROM x\n{line}\n")), &known);
    assert_eq!(set("ENV A=1 \\\n    GITDEPLOY_API_LISTEN=x"), [""; 0]);
    assert_eq!(set("ENV GITDEPLOY_API_LISTENS=x").len(), 1);
    assert_eq!(set("ARG NPM_TOKEN").len(), 1);
    assert_eq!(set("ENV A=1 DB_PASSWORD=x").len(), 1);

    let other = built.replace("two", "three");
    assert_eq!(shared_stage_breaches(&[docker(built), docker(built)]), [""; 0]);
    assert_eq!(shared_stage_breaches(&[docker(built), docker(&other)]).len(), 1);

    let ignored = format!("*\n!src\n{}\n", HIDDEN.join("\n"));
    assert_eq!(ignore_breaches(&ignored, |path| path == "src"), [""; 0]);
    assert_eq!(ignore_breaches(&ignored, nothing).len(), 1);
    assert_eq!(ignore_breaches(&ignored[2..], |_| true).len(), 1);
    assert_eq!(ignore_breaches(&ignored.replace("**/.env\n", ""), |_| true).len(), 1);
    assert_eq!(ignore_breaches(&format!("{ignored}!.env\n"), |_| true).len(), 1);

    let service = format!("image: \"${{X:-{digest}}}\"\nhealthcheck:\nports: [\"127.0.0.1:80:80\"]\n");
    let services = |body: &str| {
        let hard = HARDENING.join("\n  ");
        let body = body.trim_end().replace('\n', "\n    ");
        let text = format!("x-hard: &hard\n  {hard}\nservices:\n  one:\n    {body}\n");
        service_breaches(&Compose::parse(&text))
    };
    let hardened = format!("<<: *hard\n{service}");
    assert_eq!(services(&hardened), [""; 0]);
    assert_eq!(services(&service).len(), HARDENING.len());
    assert_eq!(services(&hardened.replace("healthcheck:\n", "")).len(), 1);
    assert_eq!(services(&hardened.replace(&digest, "x:latest")).len(), 1);
    assert_eq!(services(&hardened.replace("127.0.0.1:", "")).len(), 1);
    for line in ["privileged: true", "network_mode: host", "cap_add: [NET_ADMIN]"] {
        assert_eq!(services(&format!("{hardened}{line}\n")).len(), 1, "{line}");
    }

    let compose = |text: &str| compose_breaches("compose.yaml", &Compose::parse(text), &known);
    let variables =
        "services:\n  one:\n    environment:\n      GITDEPLOY_API_LISTEN: x\n      S3_SECRET: \"${S:?x}\"\n";
    assert_eq!(compose(variables), [""; 0]);
    assert_eq!(compose(&variables.replace("LISTEN", "LISTENS")).len(), 1);
    assert_eq!(compose(&variables.replace("${S:?x}", "hunter2")).len(), 1);
    assert_eq!(compose(&variables.replace("${S:?x}", "${S:-hunter2}")).len(), 1);
    assert_eq!(compose(&format!("name: gitdeploy\n{variables}")).len(), 1);
    let target = |name: &str| {
        let text =
            format!("services:\n  one:\n    build:\n      dockerfile: {name}\n      target: programs\n");
        target_breaches("compose.yaml", &Compose::parse(&text), &[docker(built)])
    };
    assert_eq!(target("Dockerfile.x"), [""; 0]);
    assert_eq!(target("Dockerfile.y").len(), 1);
    assert_eq!(target("Dockerfile.x\n      target: none").len(), 1);

    let in_tree = BTreeSet::from(["Dockerfile.builder".to_owned(), "Dockerfile.proxy".to_owned()]);
    let spec = read("buildspec.yml").replace("builder proxy upload", "builder proxy");
    assert_eq!(buildspec_breaches(&spec, &in_tree), [""; 0]);
    assert_eq!(buildspec_breaches(&read("buildspec.yml"), &in_tree).len(), 1);
    assert_eq!(buildspec_breaches(&spec.replace("describe-images", ""), &in_tree).len(), 1);
}

/// Sources that do not exist, stages that do not, and programs that are copied but not compiled.
fn copy_breaches(file: &Dockerfile, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut breaches = Vec::new();
    for (index, stage) in file.stages.iter().enumerate() {
        for line in &stage.lines {
            let Some(copy) = line.strip_prefix("COPY ") else {
                if line.starts_with("ADD ") {
                    breaches.push(format!("{}: `{line}`: what is added is not seen here", file.name));
                }
                continue;
            };
            let (options, paths): (Vec<&str>, Vec<&str>) =
                copy.split_whitespace().partition(|word| word.starts_with("--"));
            let sources = &paths[..paths.len().saturating_sub(1)];
            let from = options.iter().find_map(|option| option.strip_prefix("--from="));
            let earlier = |name: &str| file.stages[..index].iter().find(|stage| stage.name == name);
            match from.map(|name| (name, earlier(name))) {
                Some((name, None)) => breaches.push(format!("{}: there is no stage `{name}`", file.name)),
                Some((_, Some(stage))) => {
                    let programs = sources.iter().filter_map(|source| source.strip_prefix("/programs/"));
                    let missing = programs.filter(|program| !stage.compiles(program));
                    breaches.extend(
                        missing
                            .map(|program| format!("{}: `{program}` is copied and not compiled", file.name)),
                    );
                }
                None => {
                    let missing = sources.iter().filter(|source| !exists(source));
                    breaches.extend(missing.map(|source| format!("{}: there is no `{source}`", file.name)));
                }
            }
        }
    }
    breaches
}

fn base_breaches(file: &Dockerfile) -> Vec<String> {
    let mut breaches = Vec::new();
    if file.text.lines().any(|line| line.starts_with("# syntax=")) {
        breaches.push(format!("{}: it needs a frontend from a registry", file.name));
    }
    for (index, stage) in file.stages.iter().enumerate() {
        if file.stages[..index].iter().any(|earlier| earlier.name == stage.base) {
            continue;
        }
        let argument = stage.base.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let default = argument.and_then(|name| file.argument(name));
        if !default.is_some_and(compose::is_pinned) {
            breaches.push(format!("{}: `{}` is no argument with a digest", file.name, stage.base));
        }
    }
    breaches
}

/// What is missing in the images that can be made of a file: of the stages that are not there for others.
fn image_breaches(file: &Dockerfile) -> Vec<String> {
    let mut breaches = Vec::new();
    for stage in file.images() {
        let lines = file.inherited(stage);
        let last = |word: &str| lines.iter().rev().find_map(|line| line.strip_prefix(word));
        let mut missing = |what: &str| breaches.push(format!("{}: {}: {what}", file.name, stage.name));
        let user = last("USER ").unwrap_or("root");
        let may_be_root = ROOT.contains(&(file.name.as_str(), stage.name.as_str()));
        let is_number = |text: &str| text.parse::<u32>().is_ok_and(|id| id > 0 || may_be_root);
        if !user.split_once(':').is_some_and(|(user, group)| is_number(user) && is_number(group)) {
            missing(&format!("its user is `{user}`, not the number of one who is not root"));
        }
        if last("HEALTHCHECK ").is_none() {
            missing("it neither checks its health nor says `NONE`");
        }
        for label in LABELS {
            let label = format!("org.opencontainers.image.{label}=");
            if !lines.iter().any(|line| line.starts_with("LABEL ") && line.contains(&label)) {
                missing(&format!("it has no label `{label}`"));
            }
        }
    }
    breaches
}

fn setting_breaches(file: &Dockerfile, known: &BTreeSet<String>) -> Vec<String> {
    let lines = file.stages.iter().flat_map(|stage| &stage.lines).chain(&file.arguments);
    let assigned = lines.filter_map(|line| line.strip_prefix("ENV ").or(line.strip_prefix("ARG ")));
    let names = assigned.flat_map(str::split_whitespace).map(|word| word.split('=').next().unwrap_or(word));
    let mut breaches = Vec::new();
    for name in names {
        if compose::is_secret(name) {
            breaches.push(format!("{}: `{name}` would stay in the image", file.name));
        }
        if name.starts_with("GITDEPLOY_") && !known.contains(name) {
            breaches.push(format!("{}: nobody reads `{name}`", file.name));
        }
    }
    breaches
}

fn shared_stage_breaches(files: &[Dockerfile]) -> Vec<String> {
    let first =
        |file: &Dockerfile| file.stages.first().map(|stage| (stage.base.clone(), stage.lines.clone()));
    let differ = files.windows(2).filter(|pair| first(&pair[0]) != first(&pair[1]));
    differ.map(|pair| format!("{} and {} compile differently", pair[0].name, pair[1].name)).collect()
}

fn ignore_breaches(text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut breaches = Vec::new();
    if lines.first() != Some(&"*") {
        breaches.push(".dockerignore does not begin with nothing".to_owned());
    }
    let shown = lines.iter().filter_map(|line| line.strip_prefix('!'));
    breaches.extend(
        shown.filter(|path| !exists(path)).map(|path| format!(".dockerignore: there is no `{path}`")),
    );
    // The last line that matches decides.
    let hidden = lines.iter().rev().take_while(|line| !line.starts_with('!')).collect::<Vec<_>>();
    if hidden.is_empty() {
        breaches.push(".dockerignore ends with what is shown".to_owned());
    } else {
        let missing = HIDDEN.iter().filter(|path| !hidden.contains(path));
        breaches.extend(missing.map(|path| format!(".dockerignore does not hide `{path}`")));
    }
    breaches
}

fn service_breaches(file: &Compose) -> Vec<String> {
    let mut breaches = Vec::new();
    for (name, body) in &file.services {
        let merged = file.merged(body);
        let mut breach = |what: &str| breaches.push(format!("compose.yaml: {name}: {what}"));
        for line in HARDENING.iter().filter(|line| !merged.contains(*line)) {
            breach(&format!("there is no `{line}`"));
        }
        for line in ["privileged:", "network_mode:", "cap_add:", "pid:", "ipc:"] {
            let mut lines = merged.lines().map(str::trim_start);
            if lines.any(|text| text.starts_with(line) && text != BUILDERS) {
                breach(&format!("`{line}` takes a wall away"));
            }
        }
        let is_built = merged.contains("dockerfile: ");
        if !is_built && !merged.contains("healthcheck:") {
            breach("nothing says whether it is well");
        }
        let image = compose::value(&merged, "image").unwrap_or_default();
        let default = image.split_once(":-").map_or(image, |(_, default)| default).trim_end_matches('}');
        if !is_built && !compose::is_pinned(default) {
            breach(&format!("`{image}` is not pinned"));
        }
        if compose::value(&merged, "ports").is_some_and(|ports| !ports.contains("127.0.0.1:")) {
            breach("it can be reached from outside unless somebody says so");
        }
    }
    breaches
}

fn compose_breaches(name: &str, file: &Compose, known: &BTreeSet<String>) -> Vec<String> {
    let mut breaches = Vec::new();
    for key in file.top.iter().filter(|key| ["name", "version"].contains(&key.as_str())) {
        breaches.push(format!("{name}: not every compose takes a top-level `{key}`"));
    }
    for (variable, value) in &file.variables {
        if variable.starts_with("GITDEPLOY_") && !known.contains(variable) {
            breaches.push(format!("{name}: nobody reads `{variable}`"));
        }
        if compose::is_secret(variable) && !(value.starts_with("${") && value.contains(":?")) {
            breaches.push(format!("{name}: the value of `{variable}` stands there"));
        }
    }
    breaches
}

fn target_breaches(name: &str, file: &Compose, dockerfiles: &[Dockerfile]) -> Vec<String> {
    let mut breaches = Vec::new();
    for (service, body) in &file.services {
        let Some(wanted) = compose::value(body, "dockerfile") else { continue };
        let Some(dockerfile) = dockerfiles.iter().find(|file| file.name == wanted) else {
            breaches.push(format!("{name}: {service}: there is no `{wanted}`"));
            continue;
        };
        let targets = body.lines().filter_map(|line| line.trim().strip_prefix("target: "));
        let missing = targets.filter(|target| !dockerfile.stages.iter().any(|stage| stage.name == *target));
        breaches.extend(missing.map(|target| format!("{name}: {service}: {wanted} has no stage `{target}`")));
    }
    breaches
}

fn buildspec_breaches(spec: &str, in_tree: &BTreeSet<String>) -> Vec<String> {
    let mut breaches = Vec::new();
    let listed = spec.split_once("for image in ").and_then(|(_, rest)| rest.split_once(';'));
    let built: BTreeSet<String> =
        listed.unwrap_or_default().0.split_whitespace().map(|image| format!("Dockerfile.{image}")).collect();
    if built != *in_tree {
        breaches.push(format!("buildspec.yml builds {built:?}, and there are {in_tree:?}"));
    }
    for needed in [
        "version: 0.2",
        "aws ecr get-login-password",
        "docker build -f \"Dockerfile.$image\"",
        "docker push",
        // Tags are immutable: a push of one that is there fails.
        "aws ecr describe-images --repository-name",
        "--cache-from",
        "- image_tags.auto.tfvars.json",
    ] {
        if !spec.contains(needed) {
            breaches.push(format!("buildspec.yml has no `{needed}`"));
        }
    }
    breaches
}

fn dockerfiles() -> Vec<Dockerfile> {
    DOCKERFILES.iter().map(|name| Dockerfile::parse(name, &read(name))).collect()
}

/// The variables that docs/settings.md describes, which are those that the code reads (`settings.rs`).
fn known_settings() -> BTreeSet<String> {
    let page = read("docs/settings.md");
    let cells =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned));
    cells.filter(|cell| cell.starts_with("GITDEPLOY_")).collect()
}

fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

fn read(path: &str) -> String {
    let path = workspace().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
