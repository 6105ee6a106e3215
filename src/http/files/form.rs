//! The form of an upload: read field by field, never held, and never longer than it may be.

use std::future::ready;
use std::time::Duration;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::error::PayloadError;
use actix_web::http::header::ContentDisposition;
use actix_web::web;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use crate::files::Upload;
use crate::model::Caller;
use crate::wire::{ApiError, Reason};

use super::{FileDesk, KIND};

/// Most bytes of a form's field that is no file.
const FIELD_BYTES_MAX: usize = 1_024;
/// Most fields of a form.
const FIELDS_MAX: usize = 16;
/// Bytes of an upload that is refused which are still read and dropped, so that the client, who is
/// writing, gets to read the answer.
pub(super) const DROPPED_BYTES_MAX: u64 = 8 << 20;

/// The body, which breaks off after so many bytes, whatever they are.
pub(super) fn bounded(body: web::Payload, bytes_max: u64) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    body.scan(bytes_max, |left, bytes| {
        let bytes = bytes.and_then(|bytes| match left.checked_sub(bytes.len() as u64) {
            Some(rest) => {
                *left = rest;
                Ok(bytes)
            }
            None => Err(PayloadError::Overflow),
        });
        ready(Some(bytes))
    })
}

/// Why an upload is not taken.
pub(super) struct NotTaken {
    pub(super) error: ApiError,
    /// Whether more of the form can be read; not when it is the form that is broken.
    pub(super) form_goes_on: bool,
}

impl<E: Into<ApiError>> From<E> for NotTaken {
    fn from(error: E) -> Self {
        Self { error: error.into(), form_goes_on: true }
    }
}

/// A file that came in whole and is not kept yet.
pub(super) struct Arrived {
    pub(super) upload: Upload,
    pub(super) name: String,
    pub(super) mime: String,
}

pub(super) async fn read_form(desk: &FileDesk, caller: &Caller, form: &mut Multipart) -> Result<Arrived, NotTaken> {
    let mut arrived = None;
    for _ in 0..FIELDS_MAX {
        let Some(field) = in_time(desk.wait, form.next()).await? else {
            return arrived.ok_or_else(|| ApiError::argument("file: a file is required").into());
        };
        let mut field = field.map_err(malformed)?;
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" {
            if arrived.is_some() {
                return Err(ApiError::argument("file: one file at a time").into());
            }
            arrived = Some(read_file(desk, caller, &mut field).await?);
            continue;
        }
        let too_long = |_| ApiError::argument(format!("{name}: more than {FIELD_BYTES_MAX} bytes"));
        let value = in_time(desk.wait, field.bytes(FIELD_BYTES_MAX)).await?.map_err(too_long)?.map_err(malformed)?;
        if name == "type" && value.trim_ascii() != KIND.as_bytes() {
            return Err(ApiError::argument("type: must be talk").into());
        }
    }
    Err(ApiError::argument(format!("the form has more than {FIELDS_MAX} fields")).into())
}

async fn read_file(desk: &FileDesk, caller: &Caller, field: &mut Field) -> Result<Arrived, NotTaken> {
    let disposition = field.content_disposition();
    let extended = disposition.and_then(ContentDisposition::get_filename_ext);
    let name = match extended {
        Some(value) => String::from_utf8_lossy(&value.value).into_owned(),
        None => disposition.and_then(ContentDisposition::get_filename).unwrap_or_default().to_owned(),
    };
    let mime = field.content_type().map(ToString::to_string).unwrap_or_default();
    let mut upload = desk.files.begin(caller)?;
    while let Some(bytes) = in_time(desk.wait, field.next()).await? {
        upload.write(bytes.map_err(malformed)?).await?;
    }
    Ok(Arrived { upload, name, mime })
}

async fn in_time<T>(wait: Duration, step: impl Future<Output = T>) -> Result<T, NotTaken> {
    let late = |_| NotTaken { error: ApiError::argument("the upload did not come in time"), form_goes_on: false };
    tokio::time::timeout(wait, step).await.map_err(late)
}

fn malformed(error: MultipartError) -> NotTaken {
    let error = match error {
        MultipartError::Payload(PayloadError::Overflow) => {
            ApiError::new(Reason::PayloadTooLarge, "the form is too large")
        }
        MultipartError::ContentTypeMissing
        | MultipartError::ContentTypeParse
        | MultipartError::ContentTypeIncompatible => ApiError::argument("the body must be multipart/form-data"),
        other => ApiError::argument(format!("the form is malformed: {}", other.to_string().to_lowercase())),
    };
    NotTaken { error, form_goes_on: false }
}

/// Reads on for a while after a refusal. What comes is dropped as it comes, and [`bounded`].
pub(super) async fn drop_rest(form: &mut Multipart, wait: Duration) {
    let rest = async { while let Some(Ok(_)) = form.next().await {} };
    // Whether it ends by itself or not, the answer is the same.
    drop(tokio::time::timeout(wait, rest).await);
}
