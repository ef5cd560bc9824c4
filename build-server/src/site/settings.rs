//! `[serve]` in `gitdeploy.toml`.

use gitdeploy_core::rules::{Dialect, Problem, Problems, Serve};
use serde::Deserialize;
use toml::{Table, Value};

/// How the site is served, as the first of `texts` with a `[serve]` says. Whoever deploys with a `netlify.toml`
/// expects Netlify's habits.
pub(super) fn serve(texts: &[String], has_netlify: bool, problems: &mut Vec<Problem>) -> Serve {
    let redirects = if has_netlify { Dialect::Netlify } else { Dialect::default() };
    let mut serve = Serve { redirects, ..Serve::default() };
    let mut found = Problems::of("gitdeploy.toml");
    for text in texts {
        match text.parse::<Table>() {
            Err(error) => found.add(line(text, error.span()), error.message()),
            Ok(table) => match table.get("serve") {
                None => continue,
                Some(Value::Table(settings)) => read(settings, &mut serve, &mut found),
                Some(_) => found.add(None, "`serve` is no table: write `[serve]` and its settings below"),
            },
        }
        break;
    }
    problems.extend(found.into_list());
    serve
}

fn read(settings: &Table, serve: &mut Serve, problems: &mut Problems) {
    for (key, value) in settings {
        let set = match key.as_str() {
            "redirects" => take(&mut serve.redirects, value),
            "html_handling" => take(&mut serve.html_handling, value),
            "spa" => take(&mut serve.spa, value),
            _ => Err("there are `redirects`, `html_handling` and `spa`".to_owned()),
        };
        if let Err(reason) = set {
            problems.add(None, format!("`{key}` in `[serve]` is not understood: {reason}"));
        }
    }
}

fn take<'de, T: Deserialize<'de>>(setting: &mut T, value: &Value) -> Result<(), String> {
    *setting = value.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
    Ok(())
}

/// The number of the line in which a part of a text begins.
pub(super) fn line(text: &str, span: Option<std::ops::Range<usize>>) -> Option<u32> {
    let before = text.get(..span?.start)?;
    u32::try_from(before.matches('\n').count() + 1).ok()
}
