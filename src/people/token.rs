//! Tokens: signed claims in, a claim to be an agent out. Who that agent is, and whether it still
//! exists, is not asked here.
//!
//! The algorithm is never the token's choice: each key is kept with the one algorithm it is of, and
//! a token is checked only with keys of the algorithm its header names.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{AgentId, Caller, CustomerId, Permissions};
use crate::wire::time;

use super::identity::SignIn;
use super::proved::Proved;
use super::settings::{AuthSettings, Secret};

/// Seconds by which another's clock may be ahead of ours (`nbf`). A token's end is taken exactly.
const CLOCK_SKEW_SECS: f64 = 60.0;
/// Keys in a JWKS file; more are refused at start.
const JWKS_KEYS_MAX: usize = 100;
/// Bytes of a key file; more are refused at start.
const KEY_FILE_BYTES_MAX: u64 = 1 << 20;
/// A secret shorter than this is warned of at start.
const SECRET_BYTES_ADVISED: usize = 32;
/// The end of year 9999: no token lives longer.
const LATEST_SECS: f64 = 253_402_300_799.0;

/// Why the hub cannot start with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("auth.{setting}: cannot read {path}: {cause}")]
    File { setting: &'static str, path: String, cause: std::io::Error },
    #[error("auth.{setting}: {cause}")]
    Key { setting: &'static str, cause: String },
    #[error("auth: one of secret, jwks_file and public_key_file must be set")]
    NoKey,
    #[error("auth: cannot hash a password: {0}")]
    Hash(String),
}

/// The keys that tokens are checked with, and the one that signs ours.
pub(super) struct Tokens {
    keys: Vec<Key>,
    signing: Option<EncodingKey>,
    ttl: Duration,
    session: Duration,
    proved: Proved,
}

struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
    validation: Validation,
}

/// What a token of ours says, and the time for which it says it, in seconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signed {
    claim: Claim,
    begins: Option<f64>,
    ends: f64,
}

/// A claim whose signature and times are right.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    pub(super) customer: CustomerId,
    pub(super) agent: AgentId,
    pub(super) expires: SystemTime,
    /// The sign-in it is of, if this hub signed the token itself.
    pub(super) signed_in: Option<SignIn>,
    /// What the token says of an agent that the directory does not know yet.
    pub(super) name: String,
    pub(super) username: String,
    pub(super) permissions: Permissions,
}

#[derive(Serialize)]
struct OurClaims {
    sub: String,
    customer_id: String,
    permission: u64,
    iat: u64,
    /// When its bearer signed in: a renewed token keeps it.
    auth_time: u64,
    /// See [`SignIn::password_set`]. Nobody else writes it: a token with it can be renewed.
    password_set: u64,
    exp: u64,
}

/// Claims as they come: ours and VoIPBIN's. Their types are another's business, so they are taken
/// as they are and looked at one by one.
#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Value,
    #[serde(default)]
    customer_id: Value,
    #[serde(default)]
    permission: Value,
    #[serde(default)]
    name: Value,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    exp: Value,
    #[serde(default)]
    auth_time: Value,
    #[serde(default)]
    password_set: Value,
    #[serde(default)]
    nbf: Value,
    #[serde(default, rename = "type")]
    kind: Value,
    #[serde(default)]
    agent: Value,
    #[serde(default)]
    expire: Value,
}

impl Tokens {
    pub(super) fn new(settings: &AuthSettings) -> Result<Self, SetupError> {
        let mut keys = Vec::new();
        let mut signing = None;
        if !settings.secret.is_empty() {
            keys.push(Key::secret(&settings.secret));
            signing = Some(EncodingKey::from_secret(settings.secret.expose().as_bytes()));
            if settings.secret.expose().len() < SECRET_BYTES_ADVISED {
                tracing::warn!(bytes = settings.secret.expose().len(), "auth.secret is short; 32 bytes are advised");
            }
        }
        let provider = |algorithm| provider_validation(algorithm, settings);
        if !settings.jwks_file.is_empty() {
            let text = read_file("jwks_file", &settings.jwks_file)?;
            keys.extend(read_jwks(&text, provider).map_err(|cause| SetupError::Key { setting: "jwks_file", cause })?);
        }
        if !settings.public_key_file.is_empty() {
            let text = read_file("public_key_file", &settings.public_key_file)?;
            let key =
                read_pem(&text, provider).map_err(|cause| SetupError::Key { setting: "public_key_file", cause })?;
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(SetupError::NoKey);
        }
        let [ttl, session] = [settings.token_ttl_secs, settings.session_secs].map(Duration::from_secs);
        Ok(Self { keys, signing, ttl, session, proved: Proved::default() })
    }

    /// A token for the agent, of that sign-in: good for the configured time, and no longer than
    /// a sign-in lasts. `None` without a secret to sign with.
    pub(super) fn mint(&self, caller: &Caller, signed_in: SignIn) -> Option<(String, SystemTime)> {
        let signing = self.signing.as_ref()?;
        let now = SystemTime::now();
        let expires = now.checked_add(self.ttl)?.min(signed_in.at.checked_add(self.session)?);
        let secs = |at: SystemTime| at.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
        let claims = OurClaims {
            sub: caller.agent.to_string(),
            customer_id: caller.customer.to_string(),
            permission: caller.permissions.0,
            iat: secs(now)?,
            auth_time: secs(signed_in.at)?,
            password_set: signed_in.password_set,
            exp: secs(expires)?,
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, signing).ok()?;
        Some((token, expires))
    }

    /// Whether a sign-in has lasted as long as one may.
    pub(super) fn is_over(&self, signed_in: SignIn, now: SystemTime) -> bool {
        signed_in.at.checked_add(self.session).is_none_or(|end| end <= now)
    }

    /// Whether tokens can be signed here.
    pub(super) fn can_mint(&self) -> bool {
        self.signing.is_some()
    }

    /// What a token claims at this moment, or why it counts for nothing. The reason is for our own
    /// log at debug level, and holds nothing of the token.
    pub(super) fn check(&self, token: &str, now: SystemTime) -> Result<Claim, &'static str> {
        self.proved.get_or(token, |token| self.prove(token))?.at(now)
    }

    /// What a token says that was made with a key of ours.
    fn prove(&self, token: &str) -> Result<Signed, &'static str> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| "not a token")?;
        if header.crit.is_some() {
            return Err("extensions that must be understood");
        }
        let fits = |key: &&Key| {
            key.algorithm == header.alg
                && match (&key.kid, &header.kid) {
                    (Some(ours), Some(theirs)) => ours == theirs,
                    (None, _) | (_, None) => true,
                }
        };
        let claims = self
            .keys
            .iter()
            .filter(fits)
            .find_map(|key| jsonwebtoken::decode::<Claims>(token, &key.key, &key.validation).ok())
            .ok_or("no key of ours made it")?
            .claims;
        let mut signed = read_claims(&claims)?;
        if header.alg == Algorithm::HS256 {
            signed.claim.signed_in = signed_in(&claims);
        }
        Ok(signed)
    }
}

impl Signed {
    /// The claim, if it holds at this moment.
    fn at(&self, now: SystemTime) -> Result<Claim, &'static str> {
        let now = now.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        if self.ends <= now {
            return Err("ended");
        }
        if self.begins.is_some_and(|begins| begins > now + CLOCK_SKEW_SECS) {
            return Err("not begun");
        }
        Ok(self.claim.clone())
    }

    /// Bytes of the names in it.
    pub(super) fn names_bytes(&self) -> usize {
        self.claim.name.len() + self.claim.username.len()
    }
}

impl Key {
    fn secret(secret: &Secret) -> Self {
        Self {
            kid: None,
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret.expose().as_bytes()),
            validation: bare_validation(Algorithm::HS256),
        }
    }
}

/// Signature only: times are read by [`read_claims`], which knows VoIPBIN's too.
fn bare_validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

fn provider_validation(algorithm: Algorithm, settings: &AuthSettings) -> Validation {
    let mut validation = bare_validation(algorithm);
    if !settings.audience.is_empty() {
        validation.validate_aud = true;
        validation.set_audience(&settings.audience);
        validation.required_spec_claims.insert("aud".to_owned());
    }
    if !settings.issuer.is_empty() {
        validation.set_issuer(&settings.issuer);
        validation.required_spec_claims.insert("iss".to_owned());
    }
    validation
}

fn read_file(setting: &'static str, path: &str) -> Result<String, SetupError> {
    let error = |cause| SetupError::File { setting, path: path.to_owned(), cause };
    let bytes = std::fs::metadata(path).map_err(error)?.len();
    if bytes > KEY_FILE_BYTES_MAX {
        return Err(SetupError::Key { setting, cause: format!("{bytes} bytes are too many for a key file") });
    }
    std::fs::read_to_string(path).map_err(error)
}

fn read_jwks(text: &str, validation: impl Fn(Algorithm) -> Validation) -> Result<Vec<Key>, String> {
    let set: JwkSet = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if set.keys.len() > JWKS_KEYS_MAX {
        return Err(format!("more than {JWKS_KEYS_MAX} keys"));
    }
    let mut keys = Vec::new();
    for jwk in &set.keys {
        let algorithm = match (&jwk.algorithm, jwk.common.key_algorithm) {
            (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Algorithm::RS256,
            (AlgorithmParameters::EllipticCurve(key), None | Some(KeyAlgorithm::ES256))
                if key.curve == EllipticCurve::P256 =>
            {
                Algorithm::ES256
            }
            (AlgorithmParameters::OctetKeyPair(key), None | Some(KeyAlgorithm::EdDSA))
                if key.curve == EllipticCurve::Ed25519 =>
            {
                Algorithm::EdDSA
            }
            (AlgorithmParameters::OctetKey(_), _) => return Err("a shared secret does not belong here".to_owned()),
            _ => {
                tracing::warn!(kid = ?jwk.common.key_id, "key of an algorithm other than RS256, ES256, EdDSA left out");
                continue;
            }
        };
        if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
            continue;
        }
        let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
        keys.push(Key { kid: jwk.common.key_id.clone(), algorithm, key, validation: validation(algorithm) });
    }
    if keys.is_empty() { Err("no key to check signatures with".to_owned()) } else { Ok(keys) }
}

fn read_pem(text: &str, validation: impl Fn(Algorithm) -> Validation) -> Result<Key, String> {
    if !text.contains("PUBLIC KEY-----") {
        return Err("not a public key in PEM".to_owned());
    }
    let pem = text.as_bytes();
    // Kinds of keys are told apart by what they are labelled as inside, so the order is no matter.
    let (algorithm, key) = DecodingKey::from_ed_pem(pem)
        .map(|key| (Algorithm::EdDSA, key))
        .or_else(|_| DecodingKey::from_ec_pem(pem).map(|key| (Algorithm::ES256, key)))
        .or_else(|_| DecodingKey::from_rsa_pem(pem).map(|key| (Algorithm::RS256, key)))
        .map_err(|_| "neither an RSA, nor a P-256, nor an Ed25519 key".to_owned())?;
    let uncompressed_p256 = key.try_get_as_bytes().is_ok_and(|bytes| bytes.len() == 65);
    if algorithm == Algorithm::ES256 && !uncompressed_p256 {
        return Err("not a key of the curve P-256".to_owned());
    }
    Ok(Key { kid: None, algorithm, key, validation: validation(algorithm) })
}

fn read_claims(claims: &Claims) -> Result<Signed, &'static str> {
    let ends = match (end(&claims.exp)?, end(&claims.expire)?) {
        (Some(one), Some(other)) => one.min(other),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => return Err("without an end"),
    };
    let begins = end(&claims.nbf)?;
    let voipbin = claims.agent.as_object();
    if !matches!(&claims.kind, Value::Null) && claims.kind.as_str() != Some("agent") && voipbin.is_some() {
        return Err("not an agent's");
    }
    let field = |theirs: &str, ours: &Value| match voipbin {
        Some(agent) => agent.get(theirs).cloned().unwrap_or_default(),
        None => ours.clone(),
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let agent = AgentId::parse(&text(&field("id", &claims.sub))).ok_or("without an agent's id")?;
    let customer = CustomerId::parse(&text(&field("customer_id", &claims.customer_id))).ok_or("without a customer")?;
    let permission = field("permission", &claims.permission).as_u64().unwrap_or(0) & Permissions::ALL.0;
    let claim = Claim {
        customer,
        agent,
        expires: UNIX_EPOCH
            .checked_add(Duration::from_secs_f64(ends.min(LATEST_SECS)))
            .ok_or("with an end beyond all time")?,
        signed_in: None,
        name: text(&field("name", &claims.name)),
        username: text(&field("username", &claims.email)),
        permissions: if permission == 0 { Permissions::AGENT } else { Permissions(permission) },
    };
    Ok(Signed { claim, begins, ends })
}

/// The sign-in that a token of ours is of. Others who sign with the secret may say `iat` and
/// `auth_time` too, as identity providers do; `password_set` only this hub says.
fn signed_in(claims: &Claims) -> Option<SignIn> {
    let ours = claims.agent.is_null() && claims.sub.is_string();
    let password_set = claims.password_set.as_u64().filter(|_| ours)?;
    let at = UNIX_EPOCH.checked_add(Duration::from_secs(claims.auth_time.as_u64()?))?;
    Some(SignIn { at, password_set })
}

/// A moment in seconds since 1970: a number, or a timestamp as VoIPBIN writes it.
fn end(value: &Value) -> Result<Option<f64>, &'static str> {
    const WRONG: &str = "with a time that is none";
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => {
            let secs = number.as_f64().filter(|secs| secs.is_finite() && *secs >= 0.0).ok_or(WRONG)?;
            Ok(Some(secs))
        }
        Value::String(text) => {
            let at = time::parse(text).ok_or(WRONG)?;
            Ok(Some(Duration::from_micros(at.0).as_secs_f64()))
        }
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(WRONG),
    }
}

#[cfg(test)]
pub(super) mod tests;
