//! What a page that follows a run answers over HTTP: a fixed list of files, held in memory. No request opens a file, so
//! no path in one can lead anywhere.
//!
//! Requests must name this host (`127.0.0.1` or `localhost`, with the port): a page from elsewhere whose name was made
//! to resolve to this machine sends its own name. They may only read (GET, HEAD).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::REPORT_HTML;

/// Name under which the page asks for its version.
pub const STATE: &str = "state";

/// The files of a run at one time.
#[derive(Clone, Debug, Default)]
pub struct Site {
    files: BTreeMap<String, File>,
}

#[derive(Clone, Debug)]
struct File {
    body: Arc<[u8]>,
    tag: String,
}

impl File {
    fn new(body: &[u8]) -> File {
        let tag: String = Sha256::digest(body)
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        File {
            body: body.into(),
            tag: format!("\"{tag}\""),
        }
    }
}

impl Site {
    /// Adds a file under a name with `/` between folders, as in a run's folder.
    pub fn add(&mut self, name: &str, body: &[u8]) {
        self.files.insert(name.to_owned(), File::new(body));
    }

    /// Sets what [`STATE`] says: the version of the page, and words about it for its reader.
    pub fn set_state(&mut self, version: &str, note: &str) {
        self.add(
            STATE,
            format!("{}\n", json!({"version": version, "note": note})).as_bytes(),
        );
    }
}

/// A request, as far as the answer depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `GET`.
    pub method: &'a str,
    /// What stands after the method, not decoded.
    pub target: &'a str,
    /// The values of all its `Host` headers.
    pub hosts: &'a [&'a str],
    /// The value of its `If-None-Match` header.
    pub known: Option<&'a str>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200, 304, 400, 403, 404 or 405.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// Empty for 304. For HEAD it is what GET would have, and not to be sent.
    pub body: Arc<[u8]>,
}

/// Answers a request that came to `port`.
pub fn answer(site: &Site, port: u16, asked: Asked) -> Answer {
    let host_is_ours = |host: &str| {
        [format!("127.0.0.1:{port}"), format!("localhost:{port}")]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(host.trim()))
    };
    match asked.hosts {
        [host] if host_is_ours(host) => {}
        [_] => return refusal(403, "Expected this server's own address as the host.\n"),
        _ => return refusal(400, "Expected one Host header.\n"),
    }
    if !["GET", "HEAD"].contains(&asked.method) {
        let mut answer = refusal(405, "Expected GET or HEAD: this server only shows.\n");
        answer.headers.push(("Allow", "GET, HEAD".into()));
        return answer;
    }
    let path = asked.target.split_once('?').map_or(asked.target, |(path, _)| path);
    let name = match path.strip_prefix('/') {
        Some("") => REPORT_HTML,
        Some(name) => name,
        None => "",
    };
    let Some(file) = site.files.get(name) else {
        return refusal(404, "Expected one of the files of the run.\n");
    };
    let mut headers = common(kind(name));
    headers.push(("ETag", file.tag.clone()));
    let unchanged = asked
        .known
        .is_some_and(|known| known.split(',').any(|tag| tag.trim() == file.tag));
    Answer {
        status: if unchanged { 304 } else { 200 },
        headers,
        body: if unchanged { Arc::default() } else { file.body.clone() },
    }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("csv") => "text/csv; charset=utf-8",
        Some("toml") => "text/plain; charset=utf-8",
        _ => "application/json",
    }
}

fn common(kind: &'static str) -> Vec<(&'static str, String)> {
    let fixed = [
        ("Content-Type", kind),
        // It may be kept, but never shown without asking whether it still holds.
        ("Cache-Control", "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
    ];
    fixed.map(|(name, value)| (name, value.to_owned())).to_vec()
}

fn refusal(status: u16, words: &'static str) -> Answer {
    Answer {
        status,
        headers: common("text/plain; charset=utf-8"),
        body: words.as_bytes().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let mut site = Site::default();
        site.add("report.html", b"<p>page</p>");
        site.add("figures/loss-by-epoch.svg", b"<svg/>");
        site.set_state("a1", "");
        site
    }

    fn get(target: &str) -> Answer {
        ask("GET", target, &["127.0.0.1:80"], None)
    }

    fn ask(method: &str, target: &str, hosts: &[&str], known: Option<&str>) -> Answer {
        let asked = Asked {
            method,
            target,
            hosts,
            known,
        };
        answer(&site(), 80, asked)
    }

    #[test]
    fn the_files_of_the_run_and_nothing_else() {
        for target in ["/", "/report.html", "/?x=1"] {
            let found = get(target);
            assert_eq!((found.status, &*found.body), (200, &b"<p>page</p>"[..]), "{target}");
        }
        let drawing = get("/figures/loss-by-epoch.svg");
        assert!(drawing.headers.contains(&("Content-Type", "image/svg+xml".into())));
        let long = format!("/{}", "a/".repeat(100_000));
        for target in [
            "",
            "report.html",
            "//report.html",
            "/./report.html",
            "/../report.html",
            "/%2e%2e/report.html",
            "/figures/../report.html",
            "/figures",
            "/figures/",
            "/etc/passwd",
            "/report.html\0",
            "/report.html%00",
            "http://127.0.0.1/report.html",
            "\\report.html",
            &long,
        ] {
            assert_eq!(get(target).status, 404, "{target:?}");
        }
    }

    #[test]
    fn only_this_host_is_answered_and_only_reading() {
        for host in ["127.0.0.1:80", "localhost:80", "LocalHost:80"] {
            assert_eq!(ask("HEAD", "/", &[host], None).status, 200, "{host}");
        }
        for host in [
            "evil.example:80",
            "127.0.0.1:81",
            "127.0.0.1",
            "localhost.evil.example:80",
            "",
            "[::1]:80",
        ] {
            assert_eq!(ask("GET", "/", &[host], None).status, 403, "{host}");
        }
        assert_eq!(ask("GET", "/", &[], None).status, 400);
        assert_eq!(ask("GET", "/", &["localhost:80", "evil.example"], None).status, 400);
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get"] {
            let refused = ask(method, "/", &["localhost:80"], None);
            assert_eq!(refused.status, 405, "{method}");
            assert!(refused.headers.contains(&("Allow", "GET, HEAD".into())));
        }
    }

    #[test]
    fn what_has_not_changed_is_not_sent_again() {
        let first = get("/state");
        assert_eq!(&*first.body, b"{\"note\":\"\",\"version\":\"a1\"}\n");
        let tag = first
            .headers
            .iter()
            .find(|(name, _)| *name == "ETag")
            .unwrap()
            .1
            .clone();
        let again = ask("GET", "/state", &["localhost:80"], Some(&format!("\"other\", {tag}")));
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(ask("GET", "/state", &["localhost:80"], Some("\"other\"")).status, 200);
    }
}
