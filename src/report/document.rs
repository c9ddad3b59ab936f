//! The frame of every page: one self-contained HTML document of sections that loads nothing. Scripts run only if the
//! page's policy names them by their hash.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::palette;
use super::sprite::base64;
use super::svg::escape;

/// A part of a page: its heading is in the list at the top.
pub(super) struct Section {
    pub id: &'static str,
    pub title: &'static str,
    /// HTML.
    pub body: String,
}

/// A page before it is put together.
pub(super) struct Document {
    /// In words, for the tab and the heading.
    pub title: String,
    /// HTML under the heading.
    pub header: String,
    /// The first is where the curves are.
    pub sections: Vec<Section>,
    /// HTML.
    pub footer: String,
    /// Rules beside those of every page.
    pub rules: String,
    /// What may be loaded beside styles: parts of a Content-Security-Policy.
    pub policy: Vec<String>,
    /// Scripts that stand in the sections and may run.
    pub scripts: Vec<&'static str>,
    /// The address by which a page that is watched knows its version, and the script that asks for it.
    pub live: Option<Live>,
}

/// What makes a page follow a run that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Changes when the page does. Letters and digits.
    pub version: String,
}

/// The script of a page that is watched.
const LIVE: &str = include_str!("live.js");

impl Document {
    /// The HTML.
    pub fn html(&self) -> String {
        let title = escape(&self.title);
        let mut policy = String::from("default-src 'none'; style-src 'unsafe-inline'");
        for part in &self.policy {
            let _ = write!(policy, "; {part}");
        }
        let live = self.live.as_ref().map(|_| LIVE);
        let hashes: Vec<String> = self.scripts.iter().copied().chain(live).map(hash).collect();
        if !hashes.is_empty() {
            let _ = write!(policy, "; script-src {}", hashes.join(" "));
        }
        let mut version = String::new();
        if let Some(Live { version: of_page }) = &self.live {
            policy.push_str("; connect-src 'self'");
            version = format!("<meta name=\"version\" content=\"{}\">\n", escape(of_page));
        }
        let first = self.sections.first().map_or("", |section| section.id);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n{version}\
             <title>{title}</title>\n<style>\n{}{}{}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#{first}\">Skip to the curves</a>\n\
             <header>\n<h1>{title}</h1>\n{}</header>\n",
            include_str!("page.css"),
            palette::css(),
            self.rules,
            self.header,
        );
        html.push_str("<nav aria-label=\"Sections\"><ul>\n");
        for Section { id, title, .. } in &self.sections {
            let _ = writeln!(html, "<li><a href=\"#{id}\">{title}</a></li>");
        }
        html.push_str("</ul></nav>\n<main>\n");
        for Section { id, title, body } in &self.sections {
            let _ = write!(
                html,
                "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n{body}</section>\n"
            );
        }
        let _ = write!(html, "</main>\n<footer>{}</footer>\n", self.footer);
        if let Some(script) = live {
            let _ = writeln!(html, "<script>{script}</script>");
        }
        html.push_str("</body>\n</html>\n");
        html
    }
}

/// What the policy says of a script.
fn hash(script: &str) -> String {
    format!("'sha256-{}'", base64(&Sha256::digest(script.as_bytes())))
}

/// The switch between the two axes of the figures. Where a browser does not know `:has()`, and in print, both are seen.
pub(super) const SWITCH: &str = "<fieldset class=\"axis\"><legend>Against</legend><div class=\"switch\">\n\
     <input type=\"radio\" name=\"axis\" id=\"by-epoch\" checked><label for=\"by-epoch\">epoch</label>\n\
     <input type=\"radio\" name=\"axis\" id=\"by-error\"><label for=\"by-error\">training error</label>\n\
     </div></fieldset>\n";

/// A table that scrolls sideways in its own box, also with the keyboard.
pub(super) fn table(class: &str, label: &str, head: &[String], rows: &[Vec<String>]) -> String {
    let mut html = format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"{}\" tabindex=\"0\"><table class=\"{class}\">\n",
        escape(label)
    );
    if !head.is_empty() {
        html.push_str("<thead><tr>");
        for name in head {
            let _ = write!(html, "<th scope=\"col\">{}</th>", escape(name));
        }
        html.push_str("</tr></thead>\n");
    }
    html.push_str("<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            let _ = if column == 0 {
                write!(html, "<th scope=\"row\">{cell}</th>")
            } else {
                write!(html, "<td>{cell}</td>")
            };
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    html
}
