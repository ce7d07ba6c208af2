//! Settings of the environment: an option `--gossip-period` is the variable `SHIOME_GOSSIP_PERIOD` there.

use std::{collections::BTreeMap, error::Error as _, ffi::OsString};

use clap::{Args as _, Command, FromArgMatches as _, error::ErrorKind};
use tracing::warn;

use super::{ConfigError, settings::Settings};

const PREFIX: &str = "SHIOME_";

/// The configuration file.
pub(super) const CONFIG: &str = "SHIOME_CONFIG";

/// What is read elsewhere.
const OTHERS: [&str; 2] = [CONFIG, crate::cookie::VARIABLE];

/// Reads the settings of these variables. Those of the prefix that mean nothing are warned of, and no more: what starts a
/// node can put variables of its own there, as Kubernetes does for a service of this name.
pub(super) fn read(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Settings, ConfigError> {
    let mut given: BTreeMap<String, OsString> = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX) && !OTHERS.contains(&name.as_str()))
        .collect();
    let mut settings = Settings::default();
    for option in options() {
        if let Some(value) = given.remove(&variable(&option)) {
            settings = parse(&option, value)?.over(settings);
        }
    }
    for name in given.keys() {
        warn!(name, "this environment variable is no setting");
    }
    Ok(settings)
}

/// The long options that a setting can be given by.
fn options() -> Vec<String> {
    let command = Settings::augment_args(Command::new("settings"));
    let options = command.get_arguments().filter_map(|arg| arg.get_long());
    options.map(str::to_owned).collect()
}

fn variable(option: &str) -> String {
    format!("{PREFIX}{}", option.to_uppercase().replace('-', "_"))
}

/// Reads a value as that of the option on the command line.
fn parse(option: &str, value: OsString) -> Result<Settings, ConfigError> {
    let mut argument = OsString::from(format!("--{option}="));
    argument.push(value);
    let command = Settings::augment_args(Command::new("settings"));
    let matches = command.try_get_matches_from(["settings".into(), argument]);
    let settings = matches.and_then(|matches| Settings::from_arg_matches(&matches));
    settings.map_err(|error| ConfigError::Environment {
        variable: variable(option),
        reason: reason(&error),
    })
}

fn reason(error: &clap::Error) -> String {
    match (error.kind(), error.source()) {
        (_, Some(source)) => source.to_string(),
        // Of the settings, only those that are true or false have values that can be listed.
        (ErrorKind::InvalidValue, None) => "neither `true` nor `false`".to_owned(),
        (kind, None) => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let variables = variables.iter();
        read(variables.map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn every_option_is_a_variable() {
        let settings = of(&[
            ("SHIOME_NAME", "a@h:1"),
            ("SHIOME_SEED", "b:1,c:2"),
            ("SHIOME_ISOLATED", "true"),
            ("SHIOME_REQUIRE_NATIVE", "false"),
            ("SHIOME_GOSSIP_OFFSET", "-5"),
            ("SHIOME_TLS_CERT", "/x y"),
            ("SHIOME_CONFIG", "ignored"),
            ("SHIOME_COOKIE", "ignored"),
            ("SHIOME_SERVICE_HOST", "of somebody else"),
            ("OTHER", "ignored"),
        ])
        .unwrap();
        assert_eq!(settings.name.unwrap().as_str(), "a@h:1");
        let seeds: Vec<_> = settings
            .gossip
            .seed
            .iter()
            .map(|seed| seed.as_str())
            .collect();
        assert_eq!(seeds, ["b:1", "c:2"]);
        assert_eq!(settings.isolated, Some(true));
        assert_eq!(settings.sessions.require_native, Some(false));
        assert_eq!(settings.gossip.offset.unwrap().get::<i32>(), -5);
        assert_eq!(settings.tls.cert.unwrap().to_str(), Some("/x y"));
    }

    #[test]
    fn a_wrong_value_is_told_with_its_variable_and_what_is_accepted() {
        for (name, value, told) in [
            (
                "SHIOME_LIVENESS",
                "0",
                "environment variable SHIOME_LIVENESS: 0 is not a whole number from 1 to 3600",
            ),
            (
                "SHIOME_ISOLATED",
                "maybe",
                "environment variable SHIOME_ISOLATED: neither `true` nor `false`",
            ),
            (
                "SHIOME_NAME",
                "a",
                "environment variable SHIOME_NAME: `a` is not of the form name@host:port, ",
            ),
        ] {
            let error = of(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }
}
