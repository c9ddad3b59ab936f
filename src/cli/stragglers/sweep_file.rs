//! The TOML of a sweep: a base, and axes of points that differ from it.
//!
//! ```toml
//! tolerance = 0.1            # of the base's training error at the inversion
//! guard = 20                 # epochs in which no inversion is looked for
//!
//! [base]                     # options of `inversion` by their long names
//! epochs = 150
//!
//! [[axis]]
//! name = "learning rate"
//! option = "lr"
//! values = [0.2, 1.0]
//!
//! [[axis]]
//! name = "optimizer"
//! points = [{ label = "momentum", momentum = 0.9, lr = 0.05 }]
//!
//! [[axis]]
//! name = "random subset"
//! compare = false            # with the base
//! set = { subset = "random" }            # of every point of the axis
//! pool = { seed = [0, 1, 2] }            # runs that make one point together
//! grid = { train-samples = [1000, 2000], hidden = ["10", "20"] }
//! ```
//!
//! A point's options win over `set`, these over the command line, and that over `base`.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::super::config::malformed;
use super::super::error::CliError;
use super::super::options::InversionOptions;

/// Options of `inversion` that mean nothing in a sweep: weights to begin with are not told by their file's name, of what a
/// run measures only the end is kept, and results do not depend on threads.
pub const FOREIGN: [&str; 5] = ["init", "save-activations", "save-weights", "test-every", "threads"];
/// Epochs without an inversion, if none are given: the released recipe's.
pub const GUARD: i64 = 20;
/// The usual tolerance.
const TOLERANCE: f64 = 0.1;

/// A sweep as its file tells it.
#[derive(Clone, Debug)]
pub struct SweepFile {
    /// A part of the base's error.
    pub tolerance: f64,
    /// The axes; the first is the base, alone.
    pub axes: Vec<FileAxis>,
    /// The same as a file of its own, with what the command line changed.
    pub canonical: String,
}

/// An axis.
#[derive(Clone, Debug)]
pub struct FileAxis {
    /// What is varied.
    pub name: String,
    /// Whether its points are compared with the base.
    pub compared: bool,
    /// The points.
    pub points: Vec<FilePoint>,
}

/// A point.
#[derive(Clone, Debug)]
pub struct FilePoint {
    /// What stands beside it.
    pub label: String,
    /// The runs that make it.
    pub runs: Vec<FileRun>,
}

/// A run, and where its options stand.
#[derive(Clone, Debug)]
pub struct FileRun {
    /// Its options as given, without defaults.
    pub options: InversionOptions,
    /// Epochs without an inversion.
    pub guard: usize,
    /// Where errors about it point.
    pub place: Place,
}

/// Lines of a file, for errors.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    /// Option and its line, the strongest first.
    lines: Vec<(String, usize)>,
    line: usize,
}

impl Place {
    /// An error about a run, at the option that it names (as `--name ...`), else at the point.
    pub fn error(&self, error: &CliError) -> CliError {
        let text = error.to_string();
        let named = |name: &str| {
            let option = format!("--{name}");
            text.split([' ', ',', ':']).any(|word| word == option)
        };
        let line = self
            .lines
            .iter()
            .find(|(name, _)| named(name))
            .map_or(self.line, |(_, line)| *line);
        CliError::Input(format!("{}, line {line}: {text}", self.path.display()))
    }
}

/// A file that is being read.
struct Source<'t> {
    path: &'t Path,
    text: &'t str,
    spans: DeTable<'t>,
}

/// A step on the way to a value.
#[derive(Clone, Copy, Debug)]
enum Step<'s> {
    Key(&'s str),
    Nth(usize),
}
use Step::{Key, Nth};

impl SweepFile {
    /// Reads a sweep; `over` are options of the command line, which win over those of the base.
    ///
    /// # Errors
    /// [`CliError::Input`] with file, line and key.
    pub fn read(path: &Path, text: &str, over: &InversionOptions) -> Result<SweepFile, CliError> {
        let table: Table = text.parse().map_err(|error| malformed(path, text, &error))?;
        let spans = DeTable::parse(text).map_err(|error| malformed(path, text, &error))?;
        let source = Source {
            path,
            text,
            spans: spans.into_inner(),
        };
        source.known(&table, &[], &["tolerance", "guard", "base", "axis"])?;
        let tolerance = match table.get("tolerance") {
            None => TOLERANCE,
            Some(value) => {
                let number = value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
                number.filter(|t| *t > 0.0 && t.is_finite()).ok_or_else(|| {
                    source.error(
                        &[Key("tolerance")],
                        "expected a positive number, a part of the base's error",
                    )
                })?
            }
        };
        let guard = source.guard(&table, &[])?.unwrap_or(GUARD);
        let given = Table::try_from(over).map_err(CliError::input)?;
        let mut base = source.table(&table, &[], "base")?;
        source.options(&base, &[Key("base")])?;
        base.extend(given.clone());

        let mut reader = Reader {
            source: &source,
            base: &base,
            given: &given,
            guard,
        };
        let mut axes = vec![reader.base_axis()?];
        let list = match table.get("axis") {
            None => Vec::new(),
            Some(Value::Array(list)) => list.clone(),
            Some(_) => return Err(source.error(&[Key("axis")], "expected [[axis]], a list of tables")),
        };
        for (n, axis) in list.iter().enumerate() {
            let at = [Key("axis"), Nth(n)];
            let Value::Table(axis) = axis else {
                return Err(source.error(&at, "expected a table"));
            };
            let axis = reader.axis(axis, &at)?;
            if axes.iter().any(|other: &FileAxis| other.name == axis.name) {
                let text = format!("'{}' is the name of another axis, expected a new one", axis.name);
                return Err(source.error(&[Key("axis"), Nth(n), Key("name")], &text));
            }
            axes.push(axis);
        }
        let mut canonical = table.clone();
        canonical.insert("base".into(), Value::Table(base));
        Ok(SweepFile {
            tolerance,
            axes,
            canonical: canonical.to_string(),
        })
    }
}

impl Source<'_> {
    /// The line of a value, or of the last thing on the way that is there.
    fn line(&self, at: &[Step]) -> usize {
        let mut start = None;
        let mut steps = at.iter();
        let mut value = match steps.next() {
            Some(Key(key)) => self.spans.get_key_value(*key).map(|(key, value)| {
                start = Some(key.span().start);
                value
            }),
            _ => None,
        };
        for step in steps {
            value = match (value.map(|value| value.get_ref()), step) {
                (Some(DeValue::Table(table)), Key(key)) => table.get_key_value(*key).map(|(key, value)| {
                    start = Some(key.span().start);
                    value
                }),
                (Some(DeValue::Array(array)), Nth(n)) => {
                    array.get(*n).inspect(|value| start = Some(value.span().start))
                }
                _ => None,
            };
        }
        let start = start.unwrap_or_default();
        self.text.bytes().take(start).filter(|&byte| byte == b'\n').count() + 1
    }

    fn error(&self, at: &[Step], what: &str) -> CliError {
        let name = match at.last() {
            Some(Key(key)) => format!("{key}: "),
            _ => String::new(),
        };
        CliError::Input(format!("{}, line {}: {name}{what}", self.path.display(), self.line(at)))
    }

    /// Refuses keys that are not known.
    fn known(&self, table: &Table, at: &[Step], known: &[&str]) -> Result<(), CliError> {
        match table.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let expected = format!("an unknown key, expected {}", listed(known));
                Err(self.error(&joined(at, Key(key)), &expected))
            }
        }
    }

    /// A table under a key; empty if there is none.
    fn table(&self, table: &Table, at: &[Step], key: &str) -> Result<Table, CliError> {
        match table.get(key) {
            None => Ok(Table::new()),
            Some(Value::Table(table)) => Ok(table.clone()),
            Some(_) => Err(self.error(&joined(at, Key(key)), "expected a table")),
        }
    }

    fn guard(&self, table: &Table, at: &[Step]) -> Result<Option<i64>, CliError> {
        match table.get("guard") {
            None => Ok(None),
            Some(Value::Integer(guard)) if *guard >= 1 => Ok(Some(*guard)),
            Some(_) => Err(self.error(
                &joined(at, Key("guard")),
                "expected a whole number of epochs, at least 1",
            )),
        }
    }

    /// Checks options by themselves: their names and the types of their values.
    fn options(&self, table: &Table, at: &[Step]) -> Result<(), CliError> {
        for (name, value) in table {
            let at = joined(at, Key(name));
            if FOREIGN.contains(&name.as_str()) {
                return Err(self.error(&at, "it means nothing in a sweep, expected another option"));
            }
            let alone: Table = [(name.clone(), value.clone())].into_iter().collect();
            if let Err(error) = alone.try_into::<InversionOptions>() {
                let text = error.message();
                let unknown = text.starts_with("unknown field");
                let what = if unknown {
                    "no option of `disentangle inversion`, expected one by its long name, without the dashes"
                } else {
                    text.lines().next().unwrap_or_default()
                };
                return Err(self.error(&at, what));
            }
        }
        Ok(())
    }
}

/// What every point needs.
struct Reader<'s, 't> {
    source: &'s Source<'t>,
    base: &'s Table,
    given: &'s Table,
    guard: i64,
}

/// Options of one point over the base, and where each stands.
#[derive(Clone, Default)]
struct Layers<'p> {
    /// The strongest last.
    tables: Vec<(Table, Vec<Step<'p>>)>,
}

impl Reader<'_, '_> {
    fn base_axis(&mut self) -> Result<FileAxis, CliError> {
        let layers = Layers::default();
        let line = [Key("base")];
        Ok(FileAxis {
            name: "base".into(),
            compared: true,
            points: vec![FilePoint {
                label: "base".into(),
                runs: vec![self.run(&layers, self.guard, &line)?],
            }],
        })
    }

    fn axis(&mut self, axis: &Table, at: &[Step]) -> Result<FileAxis, CliError> {
        let source = self.source;
        let known = [
            "name", "compare", "guard", "set", "pool", "option", "values", "points", "grid",
        ];
        source.known(axis, at, &known)?;
        let name = match axis.get("name") {
            Some(Value::String(name)) if !name.trim().is_empty() && name != "base" => name.clone(),
            Some(_) => return Err(source.error(&joined(at, Key("name")), "expected a name other than base")),
            None => return Err(source.error(at, "an axis without a name, expected name = \"...\"")),
        };
        let compared = match axis.get("compare") {
            None => true,
            Some(Value::Boolean(compared)) => *compared,
            Some(_) => return Err(source.error(&joined(at, Key("compare")), "expected true or false")),
        };
        let guard = source.guard(axis, at)?.unwrap_or(self.guard);
        let set = source.table(axis, at, "set")?;
        let at_set = joined(at, Key("set"));
        source.options(&set, &at_set)?;
        let pool = self.lists(axis, at, "pool")?;
        let points = match (axis.get("values"), axis.get("points"), axis.get("grid")) {
            (Some(_), None, None) => self.values(axis, at)?,
            (None, Some(_), None) => self.points(axis, at)?,
            (None, None, Some(_)) => self.grid(axis, at)?,
            _ => {
                let text = format!("axis '{name}': expected one of values (with option), points and grid");
                return Err(source.error(at, &text));
            }
        };
        if axis.contains_key("option") && !axis.contains_key("values") {
            return Err(source.error(&joined(at, Key("option")), "expected values beside it"));
        }
        let mut made: Vec<FilePoint> = Vec::new();
        for Given { label, mut own, at } in points {
            let guard = source.guard(&own, &at)?.unwrap_or(guard);
            let pool = if own.contains_key("pool") {
                self.lists(&own, &at, "pool")?
            } else {
                pool.clone()
            };
            let label = match own.get("label") {
                None => label,
                Some(Value::String(label)) => label.clone(),
                Some(_) => return Err(source.error(&joined(&at, Key("label")), "expected a string")),
            };
            for key in ["guard", "pool", "label"] {
                own.remove(key);
            }
            source.options(&own, &at)?;
            if made.iter().any(|other| other.label == label) {
                let text = format!("axis '{name}' has two points '{label}', expected labels that differ");
                return Err(source.error(&at, &text));
            }
            let mut layers = Layers::default();
            layers.tables.push((set.clone(), at_set.clone()));
            layers.tables.push((own, at.clone()));
            let mut runs = Vec::new();
            for pooled in product(&pool) {
                let mut layers = layers.clone();
                layers.tables.push((pooled, joined(&at, Key("pool"))));
                runs.push(self.run(&layers, guard, &at)?);
            }
            made.push(FilePoint { label, runs });
        }
        if made.is_empty() {
            return Err(source.error(at, &format!("axis '{name}' has no points, expected at least one")));
        }
        Ok(FileAxis {
            name,
            compared,
            points: made,
        })
    }

    /// `option` and `values`.
    fn values<'p>(&self, axis: &Table, at: &[Step<'p>]) -> Result<Vec<Given<'p>>, CliError> {
        let Some(Value::String(option)) = axis.get("option") else {
            let text = "expected option = \"...\" beside values, the long name of an option";
            return Err(self.source.error(&joined(at, Key("values")), text));
        };
        let Some(Value::Array(values)) = axis.get("values") else {
            return Err(self.source.error(&joined(at, Key("values")), "expected a list"));
        };
        let point = |(n, value): (usize, &Value)| {
            let own: Table = [(option.clone(), value.clone())].into_iter().collect();
            let at = joined(&joined(at, Key("values")), Nth(n));
            Given {
                label: word(value),
                own,
                at,
            }
        };
        let points: Vec<Given> = values.iter().enumerate().map(point).collect();
        // The option's own line, not that of the first value, if its name is wrong.
        for given in &points {
            if let Err(error) = self.source.options(&given.own, &given.at) {
                let name_is_wrong = error.to_string().contains("no option of");
                let place = joined(at, Key("option"));
                return Err(if name_is_wrong {
                    let text =
                        format!("'{option}' is no option of `disentangle inversion`, expected one by its long name");
                    self.source.error(&place, &text)
                } else {
                    error
                });
            }
        }
        Ok(points)
    }

    /// `points`.
    fn points<'p>(&self, axis: &Table, at: &[Step<'p>]) -> Result<Vec<Given<'p>>, CliError> {
        let at = joined(at, Key("points"));
        let Some(Value::Array(points)) = axis.get("points") else {
            return Err(self.source.error(&at, "expected a list of tables"));
        };
        let point = |(n, point): (usize, &Value)| {
            let at = joined(&at, Nth(n));
            let Value::Table(own) = point else {
                return Err(self.source.error(&at, "expected a table of options"));
            };
            let told = own
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "guard" | "pool" | "label"));
            Ok(Given {
                label: labelled(told),
                own: own.clone(),
                at,
            })
        };
        points.iter().enumerate().map(point).collect()
    }

    /// `grid`: every combination.
    fn grid<'p>(&self, axis: &Table, at: &[Step<'p>]) -> Result<Vec<Given<'p>>, CliError> {
        let lists = self.lists(axis, at, "grid")?;
        let at = joined(at, Key("grid"));
        let point = |own: Table| Given {
            label: labelled(own.iter()),
            own,
            at: at.clone(),
        };
        Ok(product(&lists).into_iter().map(point).collect())
    }

    /// A table of lists under a key, in the order of its keys.
    fn lists(&self, table: &Table, at: &[Step], key: &str) -> Result<Vec<(String, Vec<Value>)>, CliError> {
        let own = self.source.table(table, at, key)?;
        let at = joined(at, Key(key));
        let mut lists = Vec::new();
        for (name, values) in &own {
            match values {
                Value::Array(values) if !values.is_empty() => lists.push((name.clone(), values.clone())),
                _ => return Err(self.source.error(&joined(&at, Key(name)), "expected a list of values")),
            }
            for value in values.as_array().into_iter().flatten() {
                let alone: Table = [(name.clone(), value.clone())].into_iter().collect();
                self.source.options(&alone, &at)?;
            }
        }
        Ok(lists)
    }

    fn run(&self, layers: &Layers, guard: i64, at: &[Step]) -> Result<FileRun, CliError> {
        let mut options = self.base.clone();
        let mut lines = Vec::new();
        for (table, place) in &layers.tables {
            for (name, value) in table {
                options.insert(name.clone(), value.clone());
                lines.push((name.clone(), self.source.line(&joined(place, Key(name)))));
            }
        }
        lines.reverse();
        let of_base = self.base.keys().filter(|name| !self.given.contains_key(*name));
        lines.extend(of_base.map(|name| (name.clone(), self.source.line(&[Key("base"), Key(name)]))));
        let place = Place {
            path: self.source.path.to_owned(),
            lines,
            line: self.source.line(at),
        };
        let options = options
            .try_into::<InversionOptions>()
            .map_err(|error| self.source.error(at, error.message()))?;
        let guard = usize::try_from(guard).map_err(CliError::input)?;
        Ok(FileRun { options, guard, place })
    }
}

/// A point before it is made.
struct Given<'p> {
    label: String,
    own: Table,
    at: Vec<Step<'p>>,
}

fn joined<'s>(at: &[Step<'s>], step: Step<'s>) -> Vec<Step<'s>> {
    at.iter().copied().chain([step]).collect()
}

/// Every combination of one value of each list, the last list fastest; one empty table of no lists.
fn product(lists: &[(String, Vec<Value>)]) -> Vec<Table> {
    let mut all = vec![Table::new()];
    for (name, values) in lists {
        all = all
            .into_iter()
            .flat_map(|table| {
                values.iter().map(move |value| {
                    let mut table = table.clone();
                    table.insert(name.clone(), value.clone());
                    table
                })
            })
            .collect();
    }
    all
}

/// A value as people say it; of a path the last part.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let last = Path::new(text).file_name().filter(|_| text.contains('/'));
            last.map_or_else(|| text.clone(), |last| last.to_string_lossy().into_owned())
        }
        other => other.to_string(),
    }
}

fn labelled<'v>(options: impl Iterator<Item = (&'v String, &'v Value)>) -> String {
    let words: Vec<String> = options.map(|(name, value)| format!("{name} {}", word(value))).collect();
    words.join(", ")
}

fn listed(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.join(""),
    }
}
