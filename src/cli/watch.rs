//! `disentangle watch`: the page of a run on 127.0.0.1, growing while the run writes its checkpoints.

use std::io::Cursor;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use clap::Args;
use disentangle::report::RunRecord;
use disentangle::report::serve::{Asked, answer};
use tiny_http::{Header, Request, Response, Server, StatusCode};

use super::error::CliError;
use super::output::print;
use super::watched::Watched;

/// Requests that are answered at a time.
const WORKERS: usize = 4;

/// The options of `watch`.
#[derive(Args, Clone, Debug)]
pub struct WatchOptions {
    /// Folder of a run that has begun; with a relative --data, watch from where it was started
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Port on 127.0.0.1, 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
}

/// Serves the page until SIGINT or SIGTERM, which end it well: exit code 0. Prints its address, one line.
///
/// # Errors
/// [`CliError::Input`] for a folder without a run or a run that cannot be read, and for a port that cannot be had.
pub fn run(options: WatchOptions) -> Result<(), CliError> {
    let WatchOptions { folder, port } = options;
    RunRecord::of_inversion(&folder).map_err(CliError::input)?;
    let mut watched = Watched::new(folder);
    watched.look()?;
    let refused = |cause: std::io::Error| {
        CliError::Input(format!(
            "--port {port}: cannot listen on 127.0.0.1:{port} ({cause}), expected a free port"
        ))
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(refused)?;
    let port = listener.local_addr().map_err(refused)?.port();
    let failed = |cause: String| CliError::Failed(format!("cannot serve on 127.0.0.1:{port}: {cause}"));
    let server = Arc::new(Server::from_listener(listener, None).map_err(|cause| failed(cause.to_string()))?);
    let (end, ended) = mpsc::channel();
    ctrlc::set_handler(move || {
        // Nobody listens any more once the first signal has ended it.
        let _ = end.send(());
    })
    .map_err(|cause| CliError::Failed(format!("cannot catch signals: {cause}")))?;
    let watched = Arc::new(Mutex::new(watched));
    for _ in 0..WORKERS {
        let (server, watched) = (server.clone(), watched.clone());
        // They end with the process.
        std::thread::spawn(move || {
            while let Ok(request) = server.recv() {
                respond(request, &watched, port);
            }
        });
    }
    print(&format!("http://127.0.0.1:{port}/\n"))?;
    // An error would mean that the handler is gone, which it never is.
    let _ = ended.recv();
    Ok(())
}

fn respond(request: Request, watched: &Mutex<Watched>, port: u16) {
    let site = {
        let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        // What is wrong is told to the page, which shows what it had.
        let _ = watched.look();
        watched.site()
    };
    let values = |name: &'static str| -> Vec<&str> {
        let own = request.headers().iter().filter(|header| header.field.equiv(name));
        own.map(|header| header.value.as_str()).collect()
    };
    let asked = Asked {
        method: request.method().as_str(),
        target: request.url(),
        hosts: &values("Host"),
        known: values("If-None-Match").first().copied(),
    };
    let answer = answer(&site, port, asked);
    let headers = answer
        .headers
        .iter()
        .filter_map(|(name, value)| Header::from_bytes(name.as_bytes(), value.as_bytes()).ok());
    let (length, body) = (answer.body.len(), Cursor::new(answer.body));
    let response = Response::new(StatusCode(answer.status), headers.collect(), body, Some(length), None)
        .with_chunked_threshold(usize::MAX);
    // A reader that has gone away is no failure.
    let _ = request.respond(response);
}
