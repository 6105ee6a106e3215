//! Files to the hub and from it, as streams: never whole in memory, and never further than where they
//! were meant to go.

use std::io::{self, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
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

/// Uploads a file, again from its beginning when that breaks off: what did not arrive whole is not kept.
///
/// # Errors
/// It cannot be read, the hub refuses it, or the time for calls is over.
pub(super) async fn upload(client: &Client, path: &Path) -> Result<FileRecord> {
    let deadline = Instant::now() + client.timeout();
    let mut attempts = 0;
    loop {
        let wait = backoff(attempts);
        match upload_once(client, path).await {
            Err(Failure::Unreachable(_)) if Instant::now() + wait < deadline => tokio::time::sleep(wait).await,
            ended => return ended,
        }
        attempts += 1;
    }
}

async fn upload_once(client: &Client, path: &Path) -> Result<FileRecord> {
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
        let response = client.send(request, body_of(pieces, head, file, about.len(), tail)).await;
        client.answered(response.map_err(|error| client.away(&error.to_string()))?).await
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

/// The form, piece by piece as the connection takes it; how much of the file has gone is told.
fn body_of(moved: mpsc::Sender<usize>, head: String, file: File, size: u64, tail: String) -> Body {
    enum Part {
        Head(String),
        File(u64),
        End,
    }
    let begin = (Part::Head(head), file, tail, moved);
    let parts = stream::try_unfold(begin, move |(part, mut file, tail, moved)| async move {
        Ok(match part {
            Part::Head(head) => Some((Frame::data(Bytes::from(head)), (Part::File(size), file, tail, moved))),
            Part::File(0) => {
                let end = Frame::data(Bytes::copy_from_slice(tail.as_bytes()));
                Some((end, (Part::End, file, tail, moved)))
            }
            Part::File(left) => {
                let mut piece = vec![0; READ_BYTES.min(usize::try_from(left).unwrap_or(READ_BYTES))];
                let read = file.read(&mut piece).await?;
                if read == 0 {
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, "the file became shorter"));
                }
                piece.truncate(read);
                let _ = moved.send(read).await;
                Some((Frame::data(Bytes::from(piece)), (Part::File(left - read as u64), file, tail, moved)))
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
/// The hub refuses, the file cannot be written, or another one is there already.
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
    let part = target.with_file_name(format!(".talk-hub-{}.part", Uuid::new_v4().simple()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&part).await.map_err(failed)?;
    let fetched = match fetch(client, &record, &mut file).await {
        Ok(()) if !asked.force && target.symlink_metadata().is_ok() => Err(there()),
        Ok(()) => tokio::fs::rename(&part, &target).await.map_err(failed),
        Err(failure) => Err(failure),
    };
    if fetched.is_err() {
        let _ = tokio::fs::remove_file(&part).await;
    }
    fetched
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
