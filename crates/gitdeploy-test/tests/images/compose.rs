//! As much of a compose file as the rules look at: by indentation, since ours are written by hand.

/// A compose file.
pub(crate) struct Compose {
    /// The keys at the top.
    pub(crate) top: Vec<String>,
    /// The services with the text below each.
    pub(crate) services: Vec<(String, String)>,
    /// Every `NAME: value` whose name is that of a variable.
    pub(crate) variables: Vec<(String, String)>,
    /// What other places take over with `<<: *name`.
    anchors: Vec<(String, String)>,
}

impl Compose {
    /// Reads a compose file.
    pub(crate) fn parse(text: &str) -> Self {
        let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let text = lines.join("\n");
        let top = blocks(&text, 0);
        let services = top.iter().find(|(name, _)| name == "services");
        let services = services.map(|(_, body)| blocks(body, 2)).unwrap_or_default();
        let anchors = lines.iter().filter_map(|line| {
            let (key, anchor) = line.split_once(": &")?;
            let body = top.iter().find(|(name, _)| name == key).map(|(_, body)| body.clone());
            Some((anchor.trim().to_owned(), body?))
        });
        let is_variable = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let variables = lines.iter().filter_map(|line| {
            let (name, value) = line.trim().split_once(": ")?;
            is_variable(name).then(|| (name.to_owned(), unquoted(value).to_owned()))
        });
        Self {
            anchors: anchors.collect(),
            variables: variables.collect(),
            top: top.iter().map(|(name, _)| name.clone()).collect(),
            services,
        }
    }

    /// The text of a service with what it takes over.
    pub(crate) fn merged(&self, body: &str) -> String {
        let taken = self.anchors.iter().filter(|(name, _)| body.contains(&format!("<<: *{name}\n")));
        taken.map(|(_, text)| text.as_str()).chain([body]).collect::<Vec<_>>().concat()
    }
}

/// The value of the first such key in a text.
pub(crate) fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "))?;
    Some(unquoted(value))
}

/// Whether the name of an image ends with the digest of what it stands for.
pub(crate) fn is_pinned(image: &str) -> bool {
    let digest = image.split_once("@sha256:").map(|(_, digest)| digest);
    digest.is_some_and(|digest| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a variable of this name holds what must not be shown.
pub(crate) fn is_secret(name: &str) -> bool {
    ["TOKEN", "SECRET", "PASSWORD", "ACCESS_KEY", "CREDENTIAL", "_AUTH"]
        .iter()
        .any(|part| name.contains(part))
}

/// The keys at an indentation with the text below each.
fn blocks(text: &str, indent: usize) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let depth = line.len() - line.trim_start().len();
        if depth == indent
            && let Some((key, _)) = line.trim().split_once(':')
        {
            blocks.push((key.to_owned(), String::new()));
        } else if let Some((_, body)) = blocks.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    blocks
}

fn unquoted(value: &str) -> &str {
    let value = value.trim();
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}
