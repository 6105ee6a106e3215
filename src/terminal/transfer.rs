//! Files to the hub and from it, as streams: never whole in memory, and never further than where they
//! were meant to go.

use std::io::{self, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::arguments::Download;
use super::calling::{BASE, Body, Client, backoff};
use super::clean;
use super::failure::{Failure, Result};
use super::progress::Progress;

/// Bytes that are read from a file at once.
const READ_BYTES: usize = 64 * 1024;
/// Pieces of a file that wait for the connection.
const PIECES_MAX: usize = 4;
/// Attempts to fetch the rest of a file that broke off without a byte in between.
const ATTEMPTS_MAX: u32 = 6;

/// A file as the hub has it.
#[derive(Deserialize)]
pub(super) struct FileRecord {
    pub(super) id: Uuid,
    name: String,
    size: u64,
}

/// An upload that did not succeed.
struct Broken {
    failure: Failure,
    /// All of it had gone out, and nothing said that it did not arrive: the hub may have it.
    doubt: bool,
}

/// Uploads a file, again from its beginning when it breaks off before its end: what did not arrive whole
/// is not kept. When all has gone out and only the answer is missing, a second one is not made.
///
/// # Errors
/// It cannot be read, the hub refuses it, the time for calls is over, or it is not known whether it
/// arrived.
pub(super) async fn upload(client: &Client, path: &Path) -> Result<FileRecord> {
    let deadline = Instant::now() + client.timeout();
    let mut attempts = 0;
    loop {
        let wait = backoff(attempts);
        match upload_once(client, path).await {
            Ok(record) => return Ok(record),
            Err(Broken { failure: Failure::Unreachable(why), doubt: true }) => {
                let text = format!("{why}; {} may have arrived, and is not sent twice", path.display());
                return Err(Failure::Unreachable(text));
            }
            Err(Broken { failure: Failure::Unreachable(_), .. }) if Instant::now() + wait < deadline => {
                tokio::time::sleep(wait).await;
            }
            Err(broken) => return Err(broken.failure),
        }
        attempts += 1;
    }
}

async fn upload_once(client: &Client, path: &Path) -> std::result::Result<FileRecord, Broken> {
    let whole = Arc::new(AtomicBool::new(false));
    upload_all(client, path, &whole).await.map_err(|failure| Broken { failure, doubt: whole.load(Ordering::Relaxed) })
}

/// Uploads; `whole` is true from when the end has been given to the connection until the hub says no.
async fn upload_all(client: &Client, path: &Path, whole: &Arc<AtomicBool>) -> Result<FileRecord> {
    let failed = |error: io::Error| Failure::Refused(format!("{}: {error}", path.display()));
    let file = File::open(path).await.map_err(failed)?;
    let about = file.metadata().await.map_err(failed)?;
    if !about.is_file() {
        return Err(Failure::Refused(format!("{}: not a file", path.display())));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let boundary = format!("talk-hub-{}", Uuid::new_v4().simple());
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\ntalk\r\n--{boundary}\r\nContent-Disposition: \
         form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: {mime}\r\n\r\n",
        quoted(&name)
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let length = head.len() as u64 + about.len() + tail.len() as u64;
    let progress = Progress::begin("uploading", &name, about.len());
    let (pieces, mut sent) = mpsc::channel(PIECES_MAX);
    let request = Request::post(format!("{BASE}/files"))
        .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
        .header(CONTENT_LENGTH, length);
    let answer = async {
        let body = body_of(pieces, head, file, about.len(), tail, Arc::clone(whole));
        let response = client.send(request, body).await.map_err(|error| client.away(&error.to_string()))?;
        // A gateway that lost the hub does not know; whoever else answers does.
        let known = !matches!(response.status(), StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT);
        if known && !response.status().is_success() {
            whole.store(false, Ordering::Relaxed);
        }
        client.answered(response).await
    };
    let mut answer = std::pin::pin!(answer);
    loop {
        tokio::select! {
            answer = &mut answer => {
                if answer.is_ok() {
                    progress.end("uploaded");
                }
                return answer;
            }
            Some(bytes) = sent.recv() => progress.moved(bytes),
            () = tokio::time::sleep(client.timeout()) => return Err(client.away("nothing moves")),
        }
    }
}

/// The form, piece by piece as the connection takes it; how much of the file has gone is told, and when
/// the connection takes its end.
fn body_of(
    moved: mpsc::Sender<usize>,
    head: String,
    file: File,
    size: u64,
    tail: String,
    whole: Arc<AtomicBool>,
) -> Body {
    enum Part {
        Head(String),
        File(u64),
        End,
    }
    let begin = (Part::Head(head), file, tail, moved, whole);
    let parts = stream::try_unfold(begin, move |(part, mut file, tail, moved, whole)| async move {
        Ok(match part {
            Part::Head(head) => Some((Frame::data(Bytes::from(head)), (Part::File(size), file, tail, moved, whole))),
            Part::File(0) => {
                whole.store(true, Ordering::Relaxed);
                let end = Frame::data(Bytes::copy_from_slice(tail.as_bytes()));
                Some((end, (Part::End, file, tail, moved, whole)))
            }
            Part::File(left) => {
                let mut piece = vec![0; READ_BYTES.min(usize::try_from(left).unwrap_or(READ_BYTES))];
                let read = file.read(&mut piece).await?;
                if read == 0 {
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, "the file became shorter"));
                }
                piece.truncate(read);
                let _ = moved.send(read).await;
                Some((Frame::data(Bytes::from(piece)), (Part::File(left - read as u64), file, tail, moved, whole)))
            }
            Part::End => None,
        })
    });
    StreamBody::new(parts).boxed_unsync()
}

/// A file's name as it stands in a form. What no header may have becomes `_`.
fn quoted(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_control() { '_' } else { c }).collect::<String>();
    plain.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Downloads a file to where it is wanted, and nowhere else, whatever it is called.
///
/// # Errors
/// The hub refuses, the file cannot be written, another one is there already, or Ctrl-C.
pub(super) async fn download(client: &Client, asked: &Download) -> Result<()> {
    let record: FileRecord = client.get(&format!("{BASE}/files/{}", asked.file)).await?;
    if asked.output.as_deref() == Some(Path::new("-")) {
        if std::io::stdout().is_terminal() {
            return Err(Failure::Usage(String::from("a file is not written to a terminal; name a path")));
        }
        let mut out = tokio::fs::File::from_std(std::fs::File::from(
            std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned().map_err(Failure::writing)?,
        ));
        return fetch(client, &record, &mut out).await;
    }
    let target = target(asked, &record);
    let there = || Failure::Refused(format!("{} is there already; --force replaces it", target.display()));
    if !asked.force && target.symlink_metadata().is_ok() {
        return Err(there());
    }
    let failed = |error: io::Error| Failure::Refused(format!("{}: {error}", target.display()));
    // Under another name until it is whole; a new file, so that no link leads elsewhere.
    let part = Part(target.with_file_name(format!(".talk-hub-{}.part", Uuid::new_v4().simple())));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&part.0).await.map_err(failed)?;
    tokio::select! {
        fetched = fetch(client, &record, &mut file) => fetched?,
        _ = tokio::signal::ctrl_c() => return Err(Failure::Interrupted),
    }
    part.become_file(&target, asked.force).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => there(),
        _ => failed(error),
    })
}

/// What has come of a file, under a name of its own; removed when this is dropped.
struct Part(PathBuf);

impl Part {
    /// Gives it its name. Without `force` nothing that has the name loses it, whoever was faster.
    fn become_file(&self, target: &Path, force: bool) -> io::Result<()> {
        if force {
            return std::fs::rename(&self.0, target);
        }
        match std::fs::hard_link(&self.0, target) {
            // A file system that has no links: an empty file takes the name, and is ours to replace.
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                std::fs::OpenOptions::new().write(true).create_new(true).open(target)?;
                std::fs::rename(&self.0, target).inspect_err(|_| drop(std::fs::remove_file(target)))
            }
            linked => linked,
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn target(asked: &Download, record: &FileRecord) -> PathBuf {
    let name = clean::file_name(&record.name).unwrap_or_else(|| format!("file-{}", record.id));
    match &asked.output {
        Some(folder) if folder.is_dir() => folder.join(name),
        Some(path) => path.clone(),
        None => PathBuf::from(name),
    }
}

/// Fetches the content, going on from where it broke off.
async fn fetch(client: &Client, record: &FileRecord, to: &mut File) -> Result<()> {
    let progress = Progress::begin("downloading", &record.name, record.size);
    let mut attempts = 0;
    loop {
        let before = progress.done();
        let failure = match attempt(client, record, to, &progress).await {
            Ok(()) => {
                to.flush().await.map_err(Failure::writing)?;
                progress.end("downloaded");
                return Ok(());
            }
            Err(failure @ Failure::Unreachable(_)) => failure,
            Err(failure) => return Err(failure),
        };
        attempts = if progress.done() > before { 0 } else { attempts + 1 };
        if attempts >= ATTEMPTS_MAX {
            return Err(failure);
        }
        tokio::time::sleep(backoff(attempts)).await;
    }
}

async fn attempt(client: &Client, record: &FileRecord, to: &mut File, progress: &Progress) -> Result<()> {
    let mut request = Request::get(format!("{BASE}/files/{}/file", record.id));
    if progress.done() > 0 {
        request = request.header(RANGE, format!("bytes={}-", progress.done()));
    }
    let away = |why: String| client.away(&why);
    let nothing = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let response = in_time(client, client.send(request, nothing)).await?.map_err(|error| away(error.to_string()))?;
    match response.status() {
        StatusCode::OK if progress.done() == 0 => {}
        StatusCode::PARTIAL_CONTENT if progress.done() > 0 => {}
        StatusCode::OK => return Err(Failure::Refused(String::from("the hub does not go on with what broke off"))),
        _ => return client.answered::<FileRecord>(response).await.map(drop),
    }
    take_all(client, record, response, to, progress).await
}

async fn take_all(
    client: &Client,
    record: &FileRecord,
    response: Response<Incoming>,
    to: &mut File,
    progress: &Progress,
) -> Result<()> {
    let mut body = response.into_body();
    while progress.done() < record.size {
        let Some(frame) = in_time(client, body.frame()).await? else { return Err(client.away("the file broke off")) };
        let frame = frame.map_err(|error| client.away(&error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if progress.done() + data.len() as u64 > record.size {
            return Err(Failure::Refused(String::from("the hub sends more than the file has")));
        }
        to.write_all(&data).await.map_err(Failure::writing)?;
        progress.moved(data.len());
    }
    Ok(())
}

/// The outcome, if it comes before everything has stood still for as long as a call may take.
async fn in_time<T>(client: &Client, next: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(client.timeout(), next).await.map_err(|_| client.away("nothing moves"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_faster_keeps_the_name_unless_forced() {
        let folder = std::env::temp_dir().join(format!("talk-hub-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&folder).expect("a folder");
        let target = folder.join("report");
        let part = |content: &str| {
            let part = Part(folder.join(format!("{content}.part")));
            std::fs::write(&part.0, content).expect("written");
            part
        };
        part("first").become_file(&target, false).expect("the name is free");
        let taken = part("second").become_file(&target, false).map_err(|error| error.kind());
        assert_eq!(taken, Err(ErrorKind::AlreadyExists));
        assert_eq!(std::fs::read_to_string(&target).expect("it is there"), "first");
        part("third").become_file(&target, true).expect("replaced");
        assert_eq!(std::fs::read_to_string(&target).expect("it is there"), "third");
        assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 1, "no part stays");
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
