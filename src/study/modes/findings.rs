//! What an experiment hands to the report: theory beside simulation. Lines are theory, points are trained networks, and
//! every pair has a distance in a table.

/// Whose formula it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Stands in the paper.
    Paper,
    /// Derived from the paper's setting by this project; the paper's own text may say it otherwise.
    Derived,
}

impl Source {
    /// `paper` or `derived`.
    pub fn name(self) -> &'static str {
        match self {
            Source::Paper => "paper",
            Source::Derived => "derived",
        }
    }
}

/// An axis of a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What is laid along it, with its unit.
    pub label: String,
    /// By its logarithm.
    pub log: bool,
}

impl Axis {
    /// In proportion.
    pub fn linear(label: &str) -> Axis {
        let (label, log) = (label.into(), false);
        Axis { label, log }
    }

    /// By its decimal logarithm.
    pub fn log(label: &str) -> Axis {
        let (label, log) = (label.into(), true);
        Axis { label, log }
    }
}

/// One quantity, twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Name in the legend.
    pub label: String,
    /// A line; empty where there is no theory.
    pub theory: Vec<(f64, f64)>,
    /// Points; empty where nothing was trained.
    pub simulation: Vec<(f64, f64)>,
    /// Points of the panel underneath: simulation minus theory, or as the figure says.
    pub residual: Vec<(f64, f64)>,
}

impl Curve {
    /// Theory and simulation at the same places; the residual is their difference.
    pub fn compared(label: impl Into<String>, xs: &[f64], theory: &[f64], simulation: &[f64]) -> Curve {
        let pairs = |ys: &[f64]| xs.iter().copied().zip(ys.iter().copied()).collect();
        let differences: Vec<f64> = simulation.iter().zip(theory).map(|(s, t)| s - t).collect();
        Curve {
            label: label.into(),
            theory: pairs(theory),
            simulation: pairs(simulation),
            residual: pairs(&differences),
        }
    }

    /// As [`Curve::compared`]; the residual is what their ratio lacks of 1.
    pub fn relative(label: impl Into<String>, xs: &[f64], theory: &[f64], simulation: &[f64]) -> Curve {
        let ratios = simulation.iter().zip(theory).map(|(s, t)| s / t - 1.0);
        Curve {
            residual: xs.iter().copied().zip(ratios).collect(),
            ..Curve::compared(label, xs, theory, simulation)
        }
    }
}

/// The largest difference of two series, or of their ratio from 1.
pub fn largest(a: &[f64], b: &[f64], relative: bool) -> f64 {
    let difference = |(a, b): (&f64, &f64)| if relative { (a / b - 1.0).abs() } else { (a - b).abs() };
    // A NaN must not vanish in a maximum.
    a.iter()
        .zip(b)
        .map(difference)
        .fold(0.0, |m, d| if d > m || d.is_nan() { d } else { m })
}

/// A figure with the residuals underneath.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Name of its file.
    pub name: String,
    /// What is drawn.
    pub title: String,
    /// Parameters, and where the formula comes from.
    pub caption: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What the panel underneath shows; `None` for no panel.
    pub residual: Option<String>,
    /// The curves, each in a colour of its own.
    pub curves: Vec<Curve>,
}

/// A plane of cells, each of one of a few kinds.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Name of its file.
    pub name: String,
    /// What is drawn.
    pub title: String,
    /// Parameters, and where the lines come from.
    pub caption: String,
    /// Horizontal axis, linear.
    pub x: String,
    /// Vertical axis, linear.
    pub y: String,
    /// The plane is [-reach, reach] in both directions.
    pub reach: f64,
    /// Cells along a side.
    pub side: usize,
    /// `[side, side]`, row 0 at the bottom: the kind of each cell.
    pub cells: Vec<u8>,
    /// Name of each kind.
    pub kinds: Vec<String>,
    /// What the theory draws, by name.
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
    /// Points of each kind that lie on it, if any: kind, x, y.
    pub points: Vec<(u8, f64, f64)>,
}

/// How far theory and simulation are apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Distance {
    /// What is compared.
    pub what: String,
    /// How the distance is measured.
    pub measure: String,
    /// Whose formula it is.
    pub source: Source,
    /// The distance found.
    pub value: f64,
    /// The largest that is expected; `None` where none is promised.
    pub tolerance: Option<f64>,
}

impl Distance {
    /// To a formula of this project's, with what is expected of it.
    pub fn derived(what: String, measure: String, value: f64, tolerance: f64) -> Distance {
        Distance {
            what,
            measure,
            source: Source::Derived,
            value,
            tolerance: Some(tolerance),
        }
    }

    /// Whether it is within what is expected; `None` where nothing is.
    pub fn holds(&self) -> Option<bool> {
        self.tolerance.map(|tolerance| self.value <= tolerance)
    }
}

/// An entry of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A number.
    Real(f64),
    /// A count.
    Whole(u64),
    /// Words; empty where there is nothing.
    Word(String),
}

impl From<f64> for Cell {
    fn from(value: f64) -> Cell {
        Cell::Real(value)
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Cell {
        value.map_or(Cell::Word(String::new()), Cell::Real)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Cell {
        Cell::Whole(value)
    }
}

impl From<&str> for Cell {
    fn from(word: &str) -> Cell {
        Cell::Word(word.into())
    }
}

/// A table of the run's folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Name of its file, without `.csv`.
    pub name: String,
    /// Names of its columns.
    pub columns: Vec<String>,
    /// Its rows, as wide as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// Whether the page shows it; long ones are for programs.
    pub shown: bool,
}

impl Table {
    /// An empty table.
    pub fn new(name: &str, columns: &[&str], shown: bool) -> Table {
        Table {
            name: name.into(),
            columns: columns.iter().map(|&c| c.into()).collect(),
            rows: Vec::new(),
            shown,
        }
    }

    /// All curves of a figure as one table: a row per point of a curve's theory, simulation and residual.
    pub fn of_figure(figure: &Figure) -> Table {
        let mut table = Table::new(&figure.name, &["curve", "kind", "x", "y"], false);
        for curve in &figure.curves {
            let kinds = [
                ("theory", &curve.theory),
                ("simulation", &curve.simulation),
                ("residual", &curve.residual),
            ];
            for (kind, points) in kinds {
                for &(x, y) in points {
                    table
                        .rows
                        .push(vec![curve.label.as_str().into(), kind.into(), x.into(), y.into()]);
                }
            }
        }
        table
    }
}

/// What an experiment found.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// Where the theory comes from.
    pub papers: &'static str,
    /// Heading of its page.
    pub title: String,
    /// What came out, in one or two sentences.
    pub headline: String,
    /// Figures.
    pub figures: Vec<Figure>,
    /// Planes.
    pub maps: Vec<Map>,
    /// Theory against simulation.
    pub distances: Vec<Distance>,
    /// Tables.
    pub tables: Vec<Table>,
}

impl Default for Findings {
    /// Nothing yet, of this module's papers.
    fn default() -> Findings {
        Findings {
            papers: super::PAPERS,
            title: String::new(),
            headline: String::new(),
            figures: Vec::new(),
            maps: Vec::new(),
            distances: Vec::new(),
            tables: Vec::new(),
        }
    }
}

impl Findings {
    /// How many distances are beyond what is expected.
    pub fn failures(&self) -> usize {
        self.distances.iter().filter(|d| d.holds() == Some(false)).count()
    }
}
