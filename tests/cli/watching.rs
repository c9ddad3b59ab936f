//! `disentangle watch`: what is served to whom, over real connections.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{Place, stderr};

/// A watching program; killed when the test is over.
struct Watching {
    child: Child,
    port: u16,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Watching {
    fn start(place: &Place, folder: &str) -> Watching {
        let mut child = place
            .command(&["watch", folder])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line
            .strip_prefix("http://127.0.0.1:")
            .and_then(|rest| rest.strip_suffix("/\n"));
        let port = port.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
        Watching { child, port }
    }

    /// Sends bytes, reads until the end. Status (0 for none) and all of the answer.
    fn send(&self, bytes: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // A server that has refused already need not read to the end.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        (status, text)
    }

    fn get(&self, target: &str) -> (u16, String) {
        let port = self.port;
        self.send(format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").as_bytes())
    }

    /// The body of a good answer.
    fn body(&self, target: &str) -> String {
        let (status, text) = self.get(target);
        assert_eq!(status, 200, "{target}: {text}");
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn state(&self) -> serde_json::Value {
        serde_json::from_str(&self.body("/state")).unwrap()
    }

    /// Asks for the page until it holds these words.
    fn page_with(&self, words: &str) -> String {
        let started = Instant::now();
        loop {
            let page = self.body("/");
            if page.contains(words) {
                return page;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{words:?} never came");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn interrupt(&mut self) -> Option<i32> {
        signal(&self.child, "-INT");
        self.child.wait().unwrap().code()
    }
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args([name, &id])
            .status()
            .unwrap()
            .success()
    );
}

const SMALL: &str = "--replicas 2 --epochs 30 --train-samples 500 --quiet";

#[test]
fn the_files_of_the_run_are_served_and_no_others() {
    let place = Place::new();
    place.inversion(&format!("{SMALL} --out run"));
    place.write("secret.svg", "secret");
    symlink(place.path("secret.svg"), place.path("run/figures/link.svg")).unwrap();
    symlink(place.path("secret.svg"), place.path("run/link.svg")).unwrap();
    let mut watching = Watching::start(&place, "run");
    for name in [
        "epochs.csv",
        "stragglers.csv",
        "summary.json",
        "run.json",
        "config.toml",
        "figures/loss-by-error.svg",
    ] {
        assert_eq!(
            watching.body(&format!("/{name}")),
            place.read(&format!("run/{name}")),
            "{name}"
        );
    }
    // The page is that of the folder with a line on top and the script that follows the run.
    let (page, file) = (watching.body("/"), place.read("run/report.html"));
    let main = |html: &str| {
        html.split("<main>")
            .nth(1)
            .unwrap()
            .split("</main>")
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(main(&page), main(&file));
    assert!(page.contains("The run has ended.") && page.contains("connect-src 'self'"));
    assert!(!file.contains("connect-src") && !file.contains("id=\"live\""));

    let long = format!("/{}", "a".repeat(100_000));
    for target in [
        "/../secret.svg",
        "/%2e%2e/secret.svg",
        "/..%2fsecret.svg",
        "/figures/../../secret.svg",
        "//etc/passwd",
        "/etc/passwd",
        "/link.svg",
        "/figures/link.svg",
        "/figures",
        "/figures/",
        "/weights/final.safetensors",
        "/checkpoint.safetensors",
        "/report.html%00.svg",
        "/./epochs.csv",
        "http://127.0.0.1/epochs.csv",
        "*",
        &long,
    ] {
        let (status, text) = watching.get(target);
        assert_eq!(status, 404, "{target}: {text}");
        assert!(!text.contains("secret"));
    }
    let host = format!("Host: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", watching.port);
    let (status, text) = watching.send(format!("GET /report.html\0 HTTP/1.1\r\n{host}").as_bytes());
    assert!([0, 400, 404].contains(&status) && !text.contains("<html"), "{text}");
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let (status, text) = watching.send(format!("{method} /epochs.csv HTTP/1.1\r\n{host}").as_bytes());
        assert_eq!(status, 405, "{method}: {text}");
        assert!(text.contains("Allow: GET, HEAD\r\n"));
    }
    let (status, text) = watching.send(format!("HEAD /epochs.csv HTTP/1.1\r\n{host}").as_bytes());
    let length = place.read("run/epochs.csv").len();
    assert!(
        status == 200 && text.contains(&format!("Content-Length: {length}\r\n")) && text.ends_with("\r\n\r\n"),
        "{text}"
    );
    // A name that somebody made to resolve to this machine.
    for host in ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example"] {
        let (status, text) =
            watching.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes());
        assert_eq!(status, 403, "{host}: {text}");
    }
    assert_eq!(watching.send(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").0, 400);
    // What has not changed is not sent again.
    let (_, text) = watching.get("/state");
    let tag = text.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
    let (status, _) = watching.send(format!("GET /state HTTP/1.1\r\nIf-None-Match: {tag}\r\n{host}").as_bytes());
    assert_eq!(status, 304);
    // Loopback only: every socket of ours that listens on the port has the address 127.0.0.1.
    if let Ok(sockets) = fs::read_to_string("/proc/net/tcp") {
        let port = format!(":{:04X} ", watching.port);
        let listens: Vec<&str> = sockets
            .lines()
            .filter(|line| line.contains(&port) && line.contains(" 0A "))
            .collect();
        assert!(
            !listens.is_empty() && listens.iter().all(|line| line.contains("0100007F:")),
            "{listens:?}"
        );
        assert!(!fs::read_to_string("/proc/net/tcp6").unwrap_or_default().contains(&port));
    }
    assert_eq!(watching.interrupt(), Some(0));
}

#[test]
fn the_page_grows_with_the_run_and_says_when_it_ends() {
    let place = Place::new();
    let words = "inversion --quiet --replicas 4 --epochs 400 --checkpoint-every 0.1 --out run";
    let mut training = place
        .command(&words.split(' ').collect::<Vec<_>>())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !place.path("run/run.json").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let watching = Watching::start(&place, "run");
    let page = watching.page_with("The run goes on: epoch ");
    assert!(page.contains("So far: "));
    let version = watching.state()["version"].clone();
    // Stop it where it is: what is shown is what the checkpoint has.
    signal(&training, "-TERM");
    assert_eq!(training.wait().unwrap().code(), Some(130));
    let started = Instant::now();
    while watching.state()["version"] == version && started.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let table = watching.body("/epochs.csv");
    let last: usize = table
        .lines()
        .last()
        .unwrap()
        .split(',')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let words = format!("The run goes on: epoch {last} of 400");
    assert!(watching.body("/").contains(&words), "{words}");
    // Watching leaves nothing in the folder.
    assert!(!place.path("run/report.html").exists() && !place.path("run/epochs.csv").exists());
    let resumed = place.run(&["inversion", "--resume", "--quiet", "--out", "run"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    watching.page_with("The run has ended.");
    let whole = place.read("run/epochs.csv");
    assert_eq!(watching.body("/epochs.csv"), whole);
    // The rows that were shown are rows of the whole.
    assert!(table.lines().all(|line| whole.lines().any(|other| other == line)));
}

#[test]
fn what_cannot_be_read_later_is_told_and_the_page_stays() {
    let place = Place::new();
    place.inversion(&format!("{SMALL} --out run"));
    let watching = Watching::start(&place, "run");
    let page = watching.body("/");
    let good = place.read("run/epochs.csv");
    place.write("run/epochs.csv", &good[..good.len() / 2]);
    let note = watching.state()["note"].as_str().unwrap().to_owned();
    assert!(
        note.starts_with("What is there now cannot be read: run/epochs.csv"),
        "{note}"
    );
    assert_eq!(watching.body("/"), page);
    place.write("run/epochs.csv", &good);
    assert_eq!(watching.state()["note"], "");
    // A table that is a link to elsewhere is not followed.
    place.write("elsewhere.csv", &good);
    fs::remove_file(place.path("run/epochs.csv")).unwrap();
    symlink(place.path("elsewhere.csv"), place.path("run/epochs.csv")).unwrap();
    let note = watching.state()["note"].as_str().unwrap().to_owned();
    assert!(
        note.contains("run/epochs.csv: a link that leads out of the folder"),
        "{note}"
    );
    assert!(
        place
            .refused_args(&["watch", "run"])
            .contains("a link that leads out of the folder")
    );
    fs::remove_dir_all(place.path("run")).unwrap();
    assert!(
        watching.state()["note"]
            .as_str()
            .unwrap()
            .contains("run: no such folder")
    );
    assert!(watching.body("/").contains("id=\"curves\""));
}

#[test]
fn a_folder_or_port_that_cannot_be_had() {
    let place = Place::new();
    assert!(
        place
            .refused_args(&["watch", "nowhere"])
            .contains("nowhere: no such folder; expected one that")
    );
    fs::create_dir(place.path("empty")).unwrap();
    assert!(
        place
            .refused_args(&["watch", "empty"])
            .contains("empty: no run in this folder; expected one that")
    );
    place.inversion(&format!("{SMALL} --out run"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let line = place.refused_args(&["watch", "run", "--port", &port]);
    assert!(
        line.contains(&format!("--port {port}: cannot listen on 127.0.0.1:{port}"))
            && line.contains("expected a free port")
    );
    for port in ["65536", "-1", "http"] {
        assert!(
            place.refused_args(&["watch", "run", "--port", port]).contains("--port"),
            "{port}"
        );
    }
    let half = place.read("run/summary.json");
    place.write("run/summary.json", &half[..half.len() / 2]);
    assert!(place.refused_args(&["watch", "run"]).contains("run/summary.json"));
}
