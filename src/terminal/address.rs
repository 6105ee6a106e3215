//! Where the hub is, and a connection to it: TCP, and TLS where the address says so.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::failure::{Failure, Result};

/// How long a connection may take to be there, TLS included.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// A connection, whatever it is made of.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Where a hub is.
#[derive(Clone, Debug)]
pub(super) struct Address {
    tls: bool,
    host: String,
    port: u16,
    /// As it stands in `Host`.
    pub(super) authority: String,
    /// What stands before `/v1.0`, where a hub is behind a path; without a slash at its end.
    pub(super) prefix: String,
}

impl Address {
    /// Reads `http://host:port/path` or `https://...`.
    ///
    /// # Errors
    /// It is no such address.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Failure::Usage(format!("{text} is not the address of a hub: {why}"));
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(wrong("it must begin with http:// or https://")),
        };
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it must have no user, query or fragment"));
        }
        let named = url.host_str().ok_or_else(|| wrong("it names no host"))?;
        let port = url.port_or_known_default().ok_or_else(|| wrong("it names no port"))?;
        let authority = url.port().map_or_else(|| named.to_owned(), |port| format!("{named}:{port}"));
        Ok(Self {
            tls,
            host: named.trim_matches(['[', ']']).to_owned(),
            port,
            authority,
            prefix: url.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The one form in which an address is kept and compared.
    pub(super) fn url(&self) -> String {
        format!("{}://{}{}", if self.tls { "https" } else { "http" }, self.authority, self.prefix)
    }

    /// Whether a credential goes to it in the open, over a network.
    pub(super) fn is_open(&self) -> bool {
        let here = self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        !self.tls && !here
    }

    /// Connects.
    ///
    /// # Errors
    /// Nobody is there in time, or it is not who it should be.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Wire>> {
        let connected = tokio::time::timeout(CONNECT_WITHIN, self.connect_now()).await;
        connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn connect_now(&self) -> io::Result<Box<dyn Wire>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        if !self.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::new(trust()?)).connect(name, stream).await?;
        Ok(Box::new(stream))
    }
}

/// Trusts whom this machine trusts; `SSL_CERT_FILE` names others.
fn trust() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_form() {
        let form = |text| Address::parse(text).map(|address| address.url()).unwrap_or_default();
        assert_eq!(form("http://Hub.example.test:80/"), "http://hub.example.test");
        assert_eq!(form("https://hub.example.test:8443/talk/"), "https://hub.example.test:8443/talk");
        assert_eq!(form("http://[::1]:8080"), "http://[::1]:8080");
        for wrong in ["", "hub", "ftp://hub", "http://a:b@hub", "http://hub?token=x"] {
            assert_eq!(form(wrong), "", "{wrong}");
        }
    }

    #[test]
    fn only_this_machine_is_called_in_the_open_without_a_word() {
        let open = |text| Address::parse(text).is_ok_and(|address| address.is_open());
        assert!(open("http://hub.example.test") && open("http://10.0.0.1"));
        assert!(!open("http://localhost:1") && !open("http://[::1]") && !open("https://hub.example.test"));
    }
}
