//! `.gitmodules`: which repository belongs where. Read here, because libgit2 would include other files that it names.

/// One submodule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) path: String,
    pub(super) url: String,
    /// Whether it says that it is not to be fetched.
    pub(super) skipped: bool,
}

/// Reads the sections `[submodule "name"]`. Lines that are none of git's are passed over.
pub(super) fn parse(text: &str) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    let mut in_module = false;
    for line in text.lines().map(str::trim) {
        if let Some(head) = line.strip_prefix('[') {
            let kind = head.trim_start().get(..9);
            in_module = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("submodule"));
            if in_module {
                modules.push(Module::default());
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| in_module) else { continue };
        let Some(module) = modules.last_mut() else { continue };
        match key.trim().to_ascii_lowercase().as_str() {
            "path" => module.path = unquote(value),
            "url" => module.url = unquote(value),
            "update" => module.skipped = unquote(value) == "none",
            _ => {}
        }
    }
    modules
}

/// A value without its quotes, its escapes and the comment after it.
fn unquote(value: &str) -> String {
    let (mut text, mut quoted) = (String::new(), false);
    let mut characters = value.trim().chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => quoted = !quoted,
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(other) => text.push(other),
                None => {}
            },
            '#' | ';' if !quoted => break,
            _ => text.push(character),
        }
    }
    text.trim().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submodules_are_read_as_git_writes_them() {
        let text = "# ours\n[submodule \"theme\"]\n\tpath = themes/hugo\n\turl = https://host/theme.git ; why\n\tbranch = x\n\
                    [core]\n\tpath = no\n[Submodule \"a b\"]\n  PATH = \"a b/\"\n  url = \"../a \\\"b\\\"#\"\n  update=none\n[include]\npath=/etc/passwd\n=\n[";
        let module = |path: &str, url: &str, skipped| Module { path: path.into(), url: url.into(), skipped };
        assert_eq!(
            parse(text),
            [module("themes/hugo", "https://host/theme.git", false), module("a b", "../a \"b\"#", true)]
        );
        assert_eq!(parse("path = x\n\0\u{fffd}"), []);
    }
}
