//! The route table, whole, and the document that is made from it.

use actix_web::{HttpResponse, web};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

use crate::wire::error::{ErrorBody, ErrorEnvelope};

use super::docs::Credentials;
use super::{access_keys, agents, chats, customers, files, health, login, messages, participants, reactions, ws};

/// Every route of the hub.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(health::routes)
        .configure(login::routes)
        .configure(customers::routes)
        .configure(agents::routes)
        .configure(access_keys::routes)
        .configure(chats::routes)
        .configure(participants::routes)
        .configure(messages::routes)
        .configure(reactions::routes)
        .configure(files::routes)
        .configure(ws::routes)
        .service(web::resource("/openapi.json").route(web::get().to(openapi)));
}

/// The head of the document; each file of routes brings its own part.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Talk hub",
        description = "VoIPBIN's Talk API: agents of a customer talk in direct, group and public chats.",
    ),
    components(schemas(ErrorEnvelope, ErrorBody)),
    modifiers(&Credentials),
)]
struct Head;

/// The description of every call, made from the code.
#[must_use]
pub fn document() -> Document {
    let mut document = Head::openapi();
    for part in [
        health::Docs::openapi(),
        login::Docs::openapi(),
        customers::Docs::openapi(),
        agents::Docs::openapi(),
        access_keys::Docs::openapi(),
        chats::Docs::openapi(),
        participants::Docs::openapi(),
        messages::Docs::openapi(),
        reactions::Docs::openapi(),
        files::Docs::openapi(),
    ] {
        document.merge(part);
    }
    document
}

async fn openapi(text: web::Data<ApiText>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(text.0.clone())
}

/// The document as it goes out; made once.
pub struct ApiText(bytes::Bytes);

impl ApiText {
    /// Writes the document.
    ///
    /// # Errors
    /// A fault of ours: it cannot be written.
    pub fn write() -> Result<Self, serde_json::Error> {
        serde_json::to_vec(&document()).map(|text| Self(text.into()))
    }
}
