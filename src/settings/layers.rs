//! The three layers and how they become one: the compiled-in file, the operator's file, the
//! environment.
//!
//! The compiled-in file is also the grammar: it has every key, so what it does not have is
//! unknown, and the kind of a value there is the kind it must have. That makes the environment,
//! where everything is text, exact too, and keeps the `config` crate from turning 1.9 into 2.

use std::path::Path;

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};

use super::{Settings, SettingsError};

/// `config/base.toml`: every key, its default and what it means.
pub const BASE: &str = include_str!("../../config/base.toml");

const PREFIX: &str = "TALK__";
/// What the name of a variable ends in that names a file with the value.
const FILE_SUFFIX: &str = "_FILE";

impl Settings {
    /// Reads the layers, puts them on top of each other and checks the whole.
    ///
    /// `environment` is what [`std::env::vars_os`] gives, made lossy; names that do not begin with
    /// `TALK__` are passed over.
    ///
    /// # Errors
    /// The first thing that is wrong, with its path.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let base = parse("config/base.toml", BASE)?;
        let mut layers = Config::builder().add_source(base.clone());
        let grammar = base.collect().map_err(|error| whole("config/base.toml", &error))?;
        if let Some(path) = file {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| SettingsError::new(&name, error.to_string()))?;
            let layer = parse(&name, &text)?;
            held_against(&grammar, &layer.collect().map_err(|error| whole(&name, &error))?)?;
            layers = layers.add_source(layer);
        }
        let mut variables: Vec<_> = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        let names: Vec<_> = variables.iter().map(|(name, _)| name.clone()).collect();
        for (name, text) in variables {
            layers = match kept_in_file(&grammar, &name) {
                Some(plain) if names.iter().any(|other| other == plain) => {
                    return Err(SettingsError::new(path_of(plain), format!("given twice, also as {name}")));
                }
                Some(plain) => with_variable(layers, &grammar, plain, &content(&name, &text)?)?,
                None => with_variable(layers, &grammar, &name, &text)?,
            };
        }
        let merged = layers.build().map_err(|error| whole("settings", &error))?;
        let settings: Self = serde_path_to_error::deserialize(merged)
            .map_err(|error| SettingsError::new(error.path().to_string(), problem(error.into_inner())))?;
        settings.validate()?;
        Ok(settings)
    }
}

fn parse(name: &str, text: &str) -> Result<Config, SettingsError> {
    Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build().map_err(|error| whole(name, &error))
}

/// A file that cannot be read as a whole. The lines that TOML's error quotes are left out: one of
/// them may hold a secret.
fn whole(name: &str, error: &ConfigError) -> SettingsError {
    let text = error.to_string();
    let said: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains('|')).collect();
    SettingsError::new(name, said.join(": "))
}

/// Every key of the layer must be in the grammar, with a value of the same kind.
fn held_against(grammar: &Map<String, Value>, layer: &Map<String, Value>) -> Result<(), SettingsError> {
    for (section, value) in layer {
        let known = grammar.get(section).and_then(table).ok_or_else(|| unknown(section))?;
        let keys = table(value).ok_or_else(|| SettingsError::new(section, "is a section, not a key"))?;
        for (key, value) in keys {
            let path = format!("{section}.{key}");
            let model = known.get(key).ok_or_else(|| unknown(&path))?;
            same_kind(&path, model, value)?;
        }
    }
    Ok(())
}

fn table(value: &Value) -> Option<&Map<String, Value>> {
    match &value.kind {
        ValueKind::Table(table) => Some(table),
        _ => None,
    }
}

fn unknown(path: &str) -> SettingsError {
    SettingsError::new(path, "no such setting")
}

fn same_kind(path: &str, model: &Value, value: &Value) -> Result<(), SettingsError> {
    let wanted = wanted(model);
    let fits = match (&model.kind, &value.kind) {
        (ValueKind::I64(_), ValueKind::I64(number)) => *number >= 0,
        (ValueKind::Boolean(_), ValueKind::Boolean(_)) | (ValueKind::String(_), ValueKind::String(_)) => true,
        (ValueKind::Array(_), ValueKind::Array(items)) => {
            items.iter().all(|item| matches!(item.kind, ValueKind::String(_)))
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(SettingsError::new(path, format!("must be {wanted}"))) }
}

fn wanted(model: &Value) -> &'static str {
    match model.kind {
        ValueKind::Boolean(_) => "true or false",
        ValueKind::String(_) => "a text in quotes",
        ValueKind::Array(_) => "a list of texts",
        _ => "a whole number, not negative",
    }
}

/// The section and key that a variable names, as a path.
fn path_of(name: &str) -> String {
    name[PREFIX.len()..].to_lowercase().replace("__", ".")
}

fn model<'a>(grammar: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let path = path_of(name);
    let (section, key) = path.split_once('.')?;
    grammar.get(section).and_then(table)?.get(key)
}

/// The variable whose value stands in a file that this one names: `TALK__AUTH__SECRET_FILE` is for
/// `TALK__AUTH__SECRET`. Only texts are kept so, and a key that ends in `_file` itself is that key.
fn kept_in_file<'a>(grammar: &Map<String, Value>, name: &'a str) -> Option<&'a str> {
    let plain = name.strip_suffix(FILE_SUFFIX).filter(|_| model(grammar, name).is_none())?;
    model(grammar, plain).filter(|model| matches!(model.kind, ValueKind::String(_))).map(|_| plain)
}

/// What a file holds, without the white space around it.
fn content(name: &str, path: &str) -> Result<String, SettingsError> {
    let wrong = |error: std::io::Error| SettingsError::new(path_of(name), format!("{path}: {error} (from {name})"));
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(wrong)
}

/// A variable's text is read as the kind that the key has: a number, `true` or `false`, a list by
/// commas; or it is the text itself.
fn with_variable(
    layers: ConfigBuilder<DefaultState>,
    grammar: &Map<String, Value>,
    name: &str,
    text: &str,
) -> Result<ConfigBuilder<DefaultState>, SettingsError> {
    let path = path_of(name);
    let wrong = |what: &str| SettingsError::new(&path, format!("{what} (from {name})"));
    let model = model(grammar, name).ok_or_else(|| wrong("no such setting"))?;
    let bad = || wrong(&format!("must be {}", wanted(model).trim_end_matches(" in quotes")));
    let value = match model.kind {
        ValueKind::Boolean(_) => ValueKind::Boolean(text.parse().map_err(|_| bad())?),
        ValueKind::I64(_) => {
            let number: i64 = text.parse().map_err(|_| bad())?;
            if number < 0 {
                return Err(bad());
            }
            ValueKind::I64(number)
        }
        ValueKind::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            ValueKind::Array(items.map(Value::from).collect())
        }
        _ => ValueKind::String(text.to_owned()),
    };
    layers.set_override(&path, Value::new(None, value)).map_err(|error| whole(&path, &error))
}

/// What is wrong, without the path, which is said already.
fn problem(error: ConfigError) -> String {
    match error {
        ConfigError::At { error, .. } => problem(*error),
        ConfigError::Type { expected, .. } => format!("must be {expected}"),
        other => other.to_string(),
    }
}
