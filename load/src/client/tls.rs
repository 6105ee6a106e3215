//! TLS to hubs that stand behind a proxy which speaks it: whom it trusts, and connections that may or may not have it.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Error, Result};

/// Whose certificates are good. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// What this machine trusts, and, if it is named, who signed with a certificate of this PEM file.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate.
    pub fn of_machine_and(authority: Option<&Path>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        // What cannot be read of the machine's is left out: the others are as good as before.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = authority {
            let wrong = |problem: String| Error::Authority { path: path.to_owned(), problem };
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
            let mut count = 0;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
                count += 1;
            }
            if count == 0 {
                return Err(wrong("there is no certificate in it".to_owned()));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| Error::Unexpected(error.to_string()))?;
        Ok(Self(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }
}

/// How a node is spoken to in secret: whom to trust, and what its certificate must name.
#[derive(Clone, Debug)]
pub struct Tls {
    trust: Trust,
    name: ServerName<'static>,
}

impl Tls {
    /// To the host of this name or address.
    #[must_use]
    pub fn to(host: &str, trust: &Trust) -> Option<Self> {
        Some(Self { trust: trust.clone(), name: ServerName::try_from(host.to_owned()).ok()? })
    }

    /// For connections that wait.
    pub(super) fn connector(&self) -> (tokio_rustls::TlsConnector, ServerName<'static>) {
        (Arc::clone(&self.trust.0).into(), self.name.clone())
    }
}

/// A connection that does not block: reading and writing end with `WouldBlock` when there is nothing to be done.
#[derive(Debug)]
pub enum Wire {
    Plain(TcpStream),
    /// On the heap, because it is large and most runs have none.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// On this stream, which need not be connected yet.
    ///
    /// # Errors
    /// TLS has no use for the node's name.
    pub fn new(stream: TcpStream, tls: Option<&Tls>) -> io::Result<Self> {
        let Some(tls) = tls else { return Ok(Self::Plain(stream)) };
        let connection = ClientConnection::new(Arc::clone(&tls.trust.0), tls.name.clone()).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, stream))))
    }

    /// What it runs over.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    /// What it runs over, for whoever polls it.
    pub fn tcp_mut(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_mut(),
        }
    }

    /// Whether a read that leaves room has taken everything; TLS gives a record at a time.
    #[must_use]
    pub fn gives_all_at_once(&self) -> bool {
        matches!(self, Self::Plain(_))
    }
}

impl Read for Wire {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(room),
            Self::Tls(stream) => stream.read(room),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
