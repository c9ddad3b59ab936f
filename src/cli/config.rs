//! Options from a TOML file, under those of the command line.

use std::fmt;
use std::path::Path;

use serde::Deserializer;
use serde::de::{DeserializeOwned, Error, Visitor};

use super::error::CliError;
use super::options::InversionOptions;

/// Fills what `$given` lacks from `$file`.
macro_rules! fill {
    ($given:ident from $file:ident: $($field:ident),* $(,)?) => {
        $( $given.$field = $given.$field.or($file.$field); )*
    };
}

/// Adds the options of the configuration file, if one is named; the command line wins.
///
/// # Errors
/// [`CliError::Input`] for a file that cannot be read or is no configuration.
pub fn merge(mut given: InversionOptions) -> Result<InversionOptions, CliError> {
    let Some(path) = given.config.take() else {
        return Ok(given);
    };
    let mut file = read(&path)?;
    // Each of these two replaces the other.
    if given.init.is_some() {
        file.initializer = None;
    }
    if given.initializer.is_some() {
        file.init = None;
    }
    fill!(given from file: data, train_samples, data_offset, subset, labels, standardize, dead_pixels, channels, hidden, activation,
        initializer, init, loss, optimizer, lr, schedule, momentum, weight_decay, l2, snnl_weight,
        snnl_layer, snnl_temperature, batch, epochs, replicas, first_replica, seed, layer, test_every, metrics, measure_every, save_activations, save_weights, device, threads);
    Ok(given)
}

/// The options in a configuration file.
///
/// # Errors
/// As [`merge`].
pub fn read(path: &Path) -> Result<InversionOptions, CliError> {
    read_as(path)
}

/// The options in a configuration file of any subcommand.
///
/// # Errors
/// As [`merge`].
pub fn read_as<T: DeserializeOwned>(path: &Path) -> Result<T, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| CliError::Input(format!("{}: cannot read the configuration: {cause}", path.display())))?;
    toml::from_str(&text).map_err(|error| malformed(path, &text, &error))
}

/// The error of a configuration that is none, with its line.
pub fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> CliError {
    let line = error.span().map_or(1, |span| {
        text.bytes().take(span.start).filter(|&b| b == b'\n').count() + 1
    });
    CliError::Input(format!("{}, line {line}: {}", path.display(), error.message()))
}

/// A string, or a number where one is more natural (`hidden = 20`).
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Word;
    impl Visitor<'_> for Word {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or a whole number")
        }
        fn visit_str<E: Error>(self, word: &str) -> Result<String, E> {
            Ok(word.into())
        }
        fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }
    }
    deserializer.deserialize_any(Word).map(Some)
}

/// A string, or a number where one is more natural (`alpha = 0.1`).
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Word;
    impl Visitor<'_> for Word {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or a number")
        }
        fn visit_str<E: Error>(self, word: &str) -> Result<String, E> {
            Ok(word.into())
        }
        fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }
        fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
            Ok(number.to_string())
        }
    }
    deserializer.deserialize_any(Word).map(Some)
}
