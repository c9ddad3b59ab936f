//! The paints of the figures: each is a colour that plotters draws with and a CSS class that the page styles, so that
//! the same drawing serves in the light, in the dark and in print.
//!
//! The series take the colours of M. Okabe and K. Ito, "Color Universal Design" (2008), which people with the common
//! forms of colour blindness tell apart; its yellow is left out, as it is lost on white.

use plotters::style::RGBColor;

/// What a mark of a figure is drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Words and numbers.
    Ink,
    /// Words that may step back.
    Muted,
    /// Grid lines and axes.
    Grid,
    /// The paper under the figure.
    Paper,
    /// The range in which the replicas stop.
    Stop,
    /// A series; from [`COLOURS`] on, its lines are dashed in the colours of the first ones again.
    Series(usize),
}

/// How many series colours there are.
pub const COLOURS: usize = 6;

/// How many series can be told apart.
pub const SERIES: usize = 2 * COLOURS;

/// The colours of one ground, by paint.
struct Ground {
    ink: &'static str,
    muted: &'static str,
    grid: &'static str,
    paper: &'static str,
    series: [&'static str; COLOURS],
}

const LIGHT: Ground = Ground {
    ink: "#1b1f24",
    muted: "#5a6472",
    grid: "#d9dee4",
    paper: "#ffffff",
    series: ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"],
};

/// Each colour lighter by as much as the dark ground asks, in the same order of hues as far as that goes.
const DARK: Ground = Ground {
    ink: "#e8eaed",
    muted: "#a3adba",
    grid: "#3a424d",
    paper: "#14181d",
    series: ["#56B4E9", "#F28A3C", "#2CC79C", "#E3A0C8", "#F0E442", "#B8C4CE"],
};

impl Paint {
    /// The colour that stands for this paint in what plotters writes. It is never seen: the green and blue say that
    /// it is one of ours, the red which one.
    pub fn key(self) -> RGBColor {
        let red = match self {
            Self::Ink => 0,
            Self::Muted => 1,
            Self::Grid => 2,
            Self::Paper => 3,
            Self::Stop => 4,
            Self::Series(index) => 5 + (index % SERIES) as u8,
        };
        RGBColor(red, 0xAB, 0xCD)
    }

    /// The CSS class of the colour that plotters wrote as `#05ABCD`.
    pub fn class_of(colour: &str) -> Option<String> {
        let red = colour.strip_prefix('#')?.strip_suffix("ABCD")?;
        let class = match u8::from_str_radix(red, 16).ok()? {
            0 => "ink".to_owned(),
            1 => "muted".to_owned(),
            2 => "grid".to_owned(),
            3 => "paper".to_owned(),
            4 => "stop".to_owned(),
            series => {
                let index = usize::from(series).checked_sub(5).filter(|index| *index < SERIES)?;
                let dashed = if index < COLOURS { "" } else { " dashed" };
                format!("c{}{dashed}", index % COLOURS)
            }
        };
        Some(class)
    }
}

/// The rules that colour the figures, for the page and for a file that stands alone: the light colours, which hold in
/// print too, then the dark ones for screens that ask for them. Plain colours and no variables, because editors and
/// converters of SVG know few of CSS's ways.
pub fn css() -> String {
    let common = ".figure .line{fill:none;stroke-linejoin:round;stroke-linecap:round}\
                  .figure .dashed.line{stroke-dasharray:24 20}\
                  .figure text{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif;\
                  paint-order:stroke;stroke-width:14;stroke-linejoin:round}";
    format!(
        "{common}\n{}@media screen and (prefers-color-scheme:dark){{\n{}}}\n",
        LIGHT.css(),
        DARK.css()
    )
}

/// The series colours as variables `--c0` to `--c5`, and as `--k` of an element of class `k0` to `k5`, for a drawing that
/// a script makes.
pub fn variables() -> String {
    let of = |ground: &Ground| {
        let colours: Vec<String> = ground
            .series
            .iter()
            .enumerate()
            .map(|(k, colour)| format!("--c{k}:{colour}"))
            .collect();
        format!(":root{{{}}}", colours.join(";"))
    };
    let keys: String = (0..COLOURS)
        .map(|k| format!(".k{k}{{--k:var(--c{k})}}#film-strip .k{k}{{stroke:var(--c{k})}}"))
        .collect();
    format!(
        "{}\n@media screen and (prefers-color-scheme:dark){{{}}}\n{keys}\n",
        of(&LIGHT),
        of(&DARK)
    )
}

/// [`css`] for a file that stands alone: in the dark it brings its own ground, in the light it is transparent.
pub fn css_of_file() -> String {
    format!(
        "{}@media screen and (prefers-color-scheme:dark){{svg.figure{{background:{}}}}}\n",
        css(),
        DARK.paper
    )
}

impl Ground {
    fn css(&self) -> String {
        let mut rules = format!(".figure text{{stroke:{}}}\n", self.paper);
        let plain = [
            ("ink", self.ink),
            ("muted", self.muted),
            ("grid", self.grid),
            ("paper", self.paper),
            ("stop", self.muted),
        ];
        let numbered: Vec<String> = (0..COLOURS).map(|index| format!("c{index}")).collect();
        let series = numbered.iter().map(String::as_str).zip(self.series);
        for (class, colour) in plain.into_iter().chain(series) {
            rules.push_str(&format!(
                ".figure .fill.{class}{{fill:{colour}}}.figure .line.{class}{{stroke:{colour}}}\n"
            ));
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_paint_has_a_class_and_no_other_colour_has() {
        let key = |paint: Paint| {
            let RGBColor(r, g, b) = paint.key();
            format!("#{r:02X}{g:02X}{b:02X}")
        };
        assert_eq!(Paint::class_of(&key(Paint::Ink)).as_deref(), Some("ink"));
        assert_eq!(Paint::class_of(&key(Paint::Stop)).as_deref(), Some("stop"));
        assert_eq!(Paint::class_of(&key(Paint::Series(0))).as_deref(), Some("c0"));
        assert_eq!(Paint::class_of(&key(Paint::Series(7))).as_deref(), Some("c1 dashed"));
        assert_eq!(Paint::class_of(&key(Paint::Series(SERIES))).as_deref(), Some("c0"));
        assert_eq!(Paint::class_of("#FFFFFF"), None);
        assert_eq!(Paint::class_of("#11ABCD"), None);
    }
}
