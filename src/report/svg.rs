//! From what plotters writes to a figure that any page can hold: fixed colours become CSS classes, curves become short
//! relative paths, and the drawing scales with its box.

use std::fmt::Write as _;

use super::palette::{self, Paint};

/// Text as it may stand between tags and in a quoted attribute, in HTML and in XML. Characters that XML 1.0 forbids
/// become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A figure for a page: an `svg` element without a size of its own, which the rules of [`palette::css`] colour.
/// `described` is read out instead of the drawing.
pub fn inline(drawing: &Drawing, described: &str) -> String {
    let Drawing { width, height, body } = drawing;
    format!(
        "<svg class=\"figure\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n{body}</svg>\n",
        escape(described)
    )
}

/// The same figure as a file that stands alone, `pixels` wide.
pub fn file(drawing: &Drawing, described: &str, pixels: u32) -> String {
    let Drawing { width, height, body } = drawing;
    let tall = (f64::from(pixels) * f64::from(*height) / f64::from(*width)).round();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" width=\"{pixels}\" height=\"{tall}\" \
         viewBox=\"0 0 {width} {height}\">\n<title>{}</title>\n<style>\n{}</style>\n{body}</svg>\n",
        escape(described),
        palette::css_of_file()
    )
}

/// A drawing in classes: the inside of an `svg` element.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// Width of the view box.
    pub width: u32,
    /// Height of the view box.
    pub height: u32,
    /// The elements.
    pub body: String,
}

/// Rewrites the output of plotters' SVG backend, whose colours are [`Paint::key`]s.
///
/// The backend writes one element after another, each with its attributes quoted and escaped, so that `<`, `>` and `"`
/// have no second meaning; only `text` has content.
pub fn restyle(plotted: &str, width: u32, height: u32) -> Drawing {
    let mut body = String::with_capacity(plotted.len() / 2);
    for element in plotted.split('<').skip(1) {
        let Some((tag, content)) = element.split_once('>') else {
            continue;
        };
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let attributes = Attributes(attributes);
        match name {
            "polyline" | "polygon" => {
                let points = pairs(attributes.get("points"));
                let close = if name == "polygon" { "z" } else { "" };
                push_shape(
                    &mut body,
                    "path",
                    &attributes,
                    &format!("d=\"{}{close}\"", path(&points)),
                );
            }
            "line" => {
                let at = |name| attributes.get(name).parse().unwrap_or(0);
                let points = [(at("x1"), at("y1")), (at("x2"), at("y2"))];
                push_shape(&mut body, "path", &attributes, &format!("d=\"{}\"", path(&points)));
            }
            "rect" => {
                let box_of = attributes.copy(&["x", "y", "width", "height"]);
                push_shape(&mut body, "rect", &attributes, &box_of);
            }
            "circle" => {
                let centre = attributes.copy(&["cx", "cy", "r"]);
                push_shape(&mut body, "circle", &attributes, &centre);
            }
            "text" => {
                let size: f64 = attributes.get("font-size").parse().unwrap_or(0.0);
                let kept = attributes.copy(&["x", "y", "dy", "text-anchor", "font-weight", "transform"]);
                let class = Paint::class_of(attributes.get("fill")).unwrap_or_default();
                // Writing to a `String` cannot fail.
                let _ = writeln!(
                    body,
                    "<text class=\"fill {class}\" font-size=\"{:.0}\" {kept}>{}</text>",
                    size,
                    content.trim()
                );
            }
            _ => {}
        }
    }
    Drawing { width, height, body }
}

fn push_shape(body: &mut String, name: &str, attributes: &Attributes, geometry: &str) {
    let fill = attributes.get("fill");
    let filled = !fill.is_empty() && fill != "none";
    let colour = if filled { fill } else { attributes.get("stroke") };
    let class = Paint::class_of(colour).unwrap_or_default();
    let _ = write!(
        body,
        "<{name} class=\"{} {class}\"",
        if filled { "fill" } else { "line" }
    );
    if !filled {
        let _ = write!(body, " {}", attributes.copy(&["stroke-width"]));
    }
    if attributes.get("opacity") != "1" {
        let _ = write!(body, " {}", attributes.copy(&["opacity"]));
    }
    let _ = writeln!(body, " {geometry}/>");
}

/// The attributes of one element, as they are written.
struct Attributes<'t>(&'t str);

impl<'t> Attributes<'t> {
    /// The value of an attribute, still escaped; empty if there is none.
    fn get(&self, name: &str) -> &'t str {
        let mut rest = self.0;
        while let Some((found, after)) = rest.split_once("=\"") {
            let Some((value, after)) = after.split_once('"') else {
                break;
            };
            if found.trim_start() == name {
                return value;
            }
            rest = after;
        }
        ""
    }

    /// Those of the named attributes that are there, as they are written.
    fn copy(&self, names: &[&str]) -> String {
        let mut copied = String::new();
        for name in names {
            let value = self.get(name);
            if !value.is_empty() {
                let gap = if copied.is_empty() { "" } else { " " };
                let _ = write!(copied, "{gap}{name}=\"{value}\"");
            }
        }
        copied
    }
}

fn pairs(points: &str) -> Vec<(i64, i64)> {
    points
        .split_ascii_whitespace()
        .filter_map(|pair| {
            let (x, y) = pair.split_once(',')?;
            Some((x.parse().ok()?, y.parse().ok()?))
        })
        .collect()
}

/// The `d` of a path through the points: absolute start, then differences, which are short numbers.
fn path(points: &[(i64, i64)]) -> String {
    let Some((&(mut x, mut y), rest)) = points.split_first() else {
        return String::new();
    };
    let mut d = format!("M{x} {y}");
    let mut letter = "l";
    for &(to_x, to_y) in rest {
        let (dx, dy) = (to_x - x, to_y - y);
        if (dx, dy) == (0, 0) {
            continue;
        }
        // A minus sign parts two numbers as well as a space does.
        let before_x = if letter.is_empty() && dx >= 0 { " " } else { "" };
        let before_y = if dy >= 0 { " " } else { "" };
        let _ = write!(d, "{letter}{before_x}{dx}{before_y}{dy}");
        letter = "";
        (x, y) = (to_x, to_y);
    }
    if rest.is_empty() || !letter.is_empty() {
        // A path of one point shows as a dot under round caps.
        d.push_str("h0");
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_classes_and_curves_short_paths() {
        let plotted = "<svg width=\"9\" height=\"9\" viewBox=\"0 0 9 9\" xmlns=\"http://www.w3.org/2000/svg\">\n\
            <polyline fill=\"none\" opacity=\"0.3\" stroke=\"#05ABCD\" stroke-width=\"4\" points=\"10,20 13,18 13,18 14,25 \"/>\n\
            <polygon opacity=\"1\" fill=\"#0CABCD\" points=\"0,0 4,0 4,4 \"/>\n\
            <line opacity=\"1\" stroke=\"#02ABCD\" stroke-width=\"4\" x1=\"0\" y1=\"5\" x2=\"9\" y2=\"5\"/>\n\
            <text x=\"1\" y=\"2\" dy=\"0.5ex\" text-anchor=\"end\" font-family=\"sans-serif\" font-size=\"51.99\" \
            opacity=\"1\" fill=\"#00ABCD\">\na &lt; b\n</text>\n</svg>\n";
        let drawing = restyle(plotted, 9, 9);
        assert_eq!(
            drawing.body,
            "<path class=\"line c0\" stroke-width=\"4\" opacity=\"0.3\" d=\"M10 20l3-2 1 7\"/>\n\
             <path class=\"fill c1 dashed\" d=\"M0 0l4 0 0 4z\"/>\n\
             <path class=\"line grid\" stroke-width=\"4\" d=\"M0 5l9 0\"/>\n\
             <text class=\"fill ink\" font-size=\"52\" x=\"1\" y=\"2\" dy=\"0.5ex\" text-anchor=\"end\">a &lt; b</text>\n"
        );
    }

    #[test]
    fn a_path_of_one_place_is_a_dot() {
        assert_eq!(path(&[(3, 4)]), "M3 4h0");
        assert_eq!(path(&[(3, 4), (3, 4)]), "M3 4h0");
        assert_eq!(path(&[]), "");
    }

    #[test]
    fn nothing_of_a_text_is_read_as_markup() {
        assert_eq!(
            escape("<a b=\"c\" d='e'>&\0"),
            "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\u{fffd}"
        );
    }
}
