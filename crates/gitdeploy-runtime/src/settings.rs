//! Settings from variables, with the name of the variable that is wrong.

use std::ffi::OsString;

use serde::de::DeserializeOwned;

/// Variables by name, as the environment has them.
pub type Vars = Vec<(String, String)>;

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid setting `{variable}`: {reason}")]
pub struct SettingError {
    /// The variable.
    pub variable: String,
    /// What is wrong with its value, or that it is missing.
    pub reason: String,
}

impl SettingError {
    /// That `variable` is wrong, and why.
    pub fn new(variable: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { variable: variable.into(), reason: reason.into() }
    }
}

/// The names that settings have, beside those that start with `GITDEPLOY_`.
const OURS: &[&str] = &["DEPLOYMENT_ID", "GIT_REF", "GIT_REPOSITORY_URL", "PROJECT_ID"];

/// The variables of this process. One of ours that is not UTF-8 is an error, any other is left out.
pub fn process_vars() -> Result<Vars, SettingError> {
    utf8(std::env::vars_os())
}

fn utf8(vars: impl Iterator<Item = (OsString, OsString)>) -> Result<Vars, SettingError> {
    let mut read = Vars::new();
    for (name, value) in vars {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => read.push((name, value)),
            Err(_) if name.starts_with("GITDEPLOY_") || OURS.contains(&name.as_str()) => {
                return Err(SettingError::new(name, "it is not UTF-8"));
            }
            Err(_) => {}
        }
    }
    Ok(read)
}

/// Reads the settings whose variables start with `prefix`. An empty variable counts as absent.
pub fn section<T: DeserializeOwned>(prefix: &str, vars: &[(String, String)]) -> Result<T, SettingError> {
    let ours: Vars =
        vars.iter().filter(|(name, value)| name.starts_with(prefix) && !value.is_empty()).cloned().collect();
    read(prefix, &ours).map_err(|error| named::<T>(prefix, &ours, error))
}

fn read<T: DeserializeOwned>(prefix: &str, vars: &[(String, String)]) -> Result<T, envy::Error> {
    envy::prefixed(prefix).from_iter(vars.iter().cloned())
}

/// envy does not say which variable was wrong. It is the one without which the error is another, or none.
fn named<T: DeserializeOwned>(prefix: &str, vars: &Vars, error: envy::Error) -> SettingError {
    if let envy::Error::MissingValue(field) = &error {
        return SettingError::new(format!("{prefix}{}", field.to_uppercase()), "it is not set");
    }
    let culprit = vars.iter().find(|(name, _)| {
        let others: Vars = vars.iter().filter(|(other, _)| other != name).cloned().collect();
        match read::<T>(prefix, &others) {
            Ok(_) => true,
            Err(envy::Error::MissingValue(field)) => name[prefix.len()..].eq_ignore_ascii_case(field),
            Err(other) => other != error,
        }
    });
    let variable = culprit.map_or_else(|| format!("{prefix}*"), |(name, _)| name.clone());
    let reason = match error {
        envy::Error::Custom(reason) => reason,
        envy::Error::MissingValue(_) => "it is not set".to_owned(),
    };
    // envy ends its messages with "while parsing value '…' provided by …"; a value may be a secret.
    let reason = reason.split(" while parsing value").next().unwrap_or(&reason).to_owned();
    SettingError { variable, reason }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Config {
        listen: SocketAddr,
        #[serde(default)]
        workers: u16,
        #[serde(default)]
        verbose: bool,
    }

    fn vars(list: &[(&str, &str)]) -> Vars {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn check(list: &[(&str, &str)], variable: &str) {
        let error = section::<Config>("GITDEPLOY_X_", &vars(list)).unwrap_err();
        assert_eq!(error.variable, variable, "{error}");
    }

    #[test]
    fn settings_are_read() {
        let list = [
            ("GITDEPLOY_X_LISTEN", "127.0.0.1:80"),
            ("GITDEPLOY_X_WORKERS", ""),
            ("GITDEPLOY_X_UNKNOWN", "1"),
            ("GITDEPLOY_Y_WORKERS", "many"),
        ];
        let expected = Config { listen: "127.0.0.1:80".parse().unwrap(), workers: 0, verbose: false };
        assert_eq!(section("GITDEPLOY_X_", &vars(&list)), Ok(expected));
    }

    #[test]
    fn the_wrong_variable_is_named() {
        check(&[], "GITDEPLOY_X_LISTEN");
        check(&[("GITDEPLOY_X_LISTEN", "here")], "GITDEPLOY_X_LISTEN");
        let listen = ("GITDEPLOY_X_LISTEN", "127.0.0.1:80");
        check(&[listen, ("GITDEPLOY_X_WORKERS", "many")], "GITDEPLOY_X_WORKERS");
        check(&[listen, ("GITDEPLOY_X_VERBOSE", "yes"), ("GITDEPLOY_X_WORKERS", "1")], "GITDEPLOY_X_VERBOSE");
    }

    #[test]
    fn a_setting_that_is_not_utf8_is_named() {
        use std::os::unix::ffi::OsStringExt as _;
        let vars = |name: &str| [(name.into(), OsString::from_vec(vec![b'x', 0xff]))].into_iter();
        for name in ["GITDEPLOY_STORE_DIRECTORY", "PROJECT_ID"] {
            assert_eq!(utf8(vars(name)).unwrap_err().variable, name);
        }
        assert_eq!(utf8(vars("LS_COLORS")), Ok(Vars::new()));
    }

    #[test]
    fn a_value_is_never_shown() {
        let error = section::<Config>("GITDEPLOY_X_", &vars(&[("GITDEPLOY_X_LISTEN", "hunter2")]));
        assert_eq!(
            error.unwrap_err().to_string(),
            "invalid setting `GITDEPLOY_X_LISTEN`: invalid socket address syntax"
        );
    }
}
