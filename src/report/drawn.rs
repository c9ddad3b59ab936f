//! A figure with its caption, in the two forms it is shown in.

use std::fmt::Write as _;
use std::path::Path;

use super::FIGURES;
use super::files::{ReportError, create_folder, write_atomic};
use super::svg::{self, Drawing, escape};

/// Width of a figure's file, in pixels.
const FILE_WIDTH: u32 = 720;

/// A figure that is drawn.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Name of its file and of its element in the page.
    pub name: String,
    /// Parameters, and what is derived and what the paper's.
    pub caption: String,
    /// For the page.
    pub inline: String,
    /// As a file that stands alone.
    pub file: String,
}

impl Drawn {
    /// Both forms of a drawing; `described` is for those who do not see it.
    pub fn new(name: &str, caption: String, drawing: &Drawing, described: &str) -> Drawn {
        Drawn {
            name: name.into(),
            caption,
            inline: svg::inline(drawing, described),
            file: svg::file(drawing, described, FILE_WIDTH),
        }
    }
}

/// Figures as they stand in a page.
pub fn html(figures: &[Drawn]) -> String {
    let mut html = String::from("<div class=\"figures\">\n");
    for figure in figures {
        // Writing to a `String` cannot fail.
        let _ = write!(
            html,
            "<figure id=\"{}\">\n{}<figcaption>{}</figcaption>\n</figure>\n",
            escape(&figure.name),
            figure.inline,
            escape(&figure.caption)
        );
    }
    html.push_str("</div>\n");
    html
}

/// Writes `figures/NAME.svg` of each.
///
/// # Errors
/// [`ReportError::Io`]
pub fn write(folder: &Path, figures: &[Drawn]) -> Result<(), ReportError> {
    let folder = folder.join(FIGURES);
    create_folder(&folder)?;
    for figure in figures {
        write_atomic(&folder.join(format!("{}.svg", figure.name)), figure.file.as_bytes())?;
    }
    Ok(())
}
