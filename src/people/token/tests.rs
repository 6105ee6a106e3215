//! What a token may and may not do.

use super::*;
use proptest::prelude::*;
use serde_json::json;

const SECRET: &str = "a secret that is long enough for everybody";
const AGENT: &str = "eb1ac5c0-ff63-47e2-bcdb-5da9c336eb4b";
const CUSTOMER: &str = "5e4a0680-804e-11ec-8477-2fea5968d85b";

fn settings() -> AuthSettings {
    AuthSettings {
        secret: Secret::new(SECRET),
        admin_token: Secret::default(),
        jwks_file: String::new(),
        public_key_file: String::new(),
        audience: Vec::new(),
        issuer: Vec::new(),
        token_ttl_secs: 60,
        session_secs: 600,
        directory: super::super::settings::Directory::Local,
        hash_parallel_max: 1,
        hash_waiting_max: 1,
        hash_wait_ms: 1,
        keys_per_agent_max: 1,
        allowed_origins: Vec::new(),
        cookie_secure: false,
    }
}

fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).expect("a token")
}

fn ours(claims: &Value) -> Result<Claim, &'static str> {
    let token = sign(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET.as_bytes()));
    Tokens::new(&settings()).expect("keys").check(&token, SystemTime::now())
}

/// What some token says.
pub(in crate::people) fn signed() -> Signed {
    let claims = json!({"sub": AGENT, "customer_id": CUSTOMER, "exp": now_secs() + 60});
    read_claims(&serde_json::from_value(claims).expect("claims")).expect("a claim")
}

#[test]
fn a_token_that_was_right_is_held_to_its_times_again() {
    let tokens = Tokens::new(&settings()).expect("keys");
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let (begins, ends) = (now_secs() + 1_000, now_secs() + 2_000);
    let claims = json!({"sub": AGENT, "customer_id": CUSTOMER, "nbf": begins, "exp": ends});
    let token = sign(&Header::new(Algorithm::HS256), &claims, &key);
    let at = |secs: u64| tokens.check(&token, UNIX_EPOCH + Duration::from_secs(secs)).map(|claim| claim.agent);
    let agent = AgentId::parse(AGENT).expect("an id");
    for _ in 0..2 {
        assert_eq!(at(begins - 61), Err("not begun"));
        assert_eq!(at(ends - 1), Ok(agent));
        assert_eq!(at(ends), Err("ended"));
    }
    // Not by anybody else's signature under the same words.
    let forged = sign(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(b"another secret"));
    assert!(tokens.check(&forged, UNIX_EPOCH + Duration::from_secs(begins)).is_err());
}

/// The key files of a provider, and the keys that sign for it.
struct Provider {
    dir: tempfile::TempDir,
    signing: EncodingKey,
}

// Made for these tests, by `openssl genpkey`; they open nothing.
const ED_PRIVATE: &str = include_str!("ed25519.pem");
const ED_PUBLIC: &str = include_str!("ed25519.pub.pem");
const EC_PRIVATE: &str = include_str!("p256.pem");
const EC_PUBLIC: &str = include_str!("p256.pub.pem");
const RSA_PRIVATE: &str = include_str!("rsa.pem");
const RSA_PUBLIC: &str = include_str!("rsa.pub.pem");

impl Provider {
    fn new(file: &str, signing: EncodingKey) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("key"), file).expect("a key file");
        Self { dir, signing }
    }

    fn path(&self) -> String {
        self.dir.path().join("key").display().to_string()
    }
}

fn providers() -> Vec<(Algorithm, Provider)> {
    let key = |made: jsonwebtoken::errors::Result<EncodingKey>| made.expect("a private key");
    vec![
        (Algorithm::EdDSA, Provider::new(ED_PUBLIC, key(EncodingKey::from_ed_pem(ED_PRIVATE.as_bytes())))),
        (Algorithm::ES256, Provider::new(EC_PUBLIC, key(EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes())))),
        (Algorithm::RS256, Provider::new(RSA_PUBLIC, key(EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes())))),
    ]
}

fn fine() -> Value {
    json!({"sub": AGENT, "customer_id": CUSTOMER, "permission": 16, "exp": now_secs() + 60})
}

#[test]
fn what_is_minted_is_taken_again() {
    let tokens = Tokens::new(&settings()).expect("keys");
    let caller = Caller {
        customer: CustomerId::parse(CUSTOMER).expect("an id"),
        agent: AgentId::parse(AGENT).expect("an id"),
        name: "Alice".to_owned(),
        permissions: Permissions(16 | 32),
    };
    let (token, expires) = tokens.mint(&caller, SignIn { at: SystemTime::now(), password_set: 7 }).expect("a token");
    let claim = tokens.check(&token, SystemTime::now()).expect("a claim");
    assert_eq!((claim.customer, claim.agent, claim.permissions), (caller.customer, caller.agent, caller.permissions));
    assert!(expires.duration_since(claim.expires).is_ok_and(|ahead| ahead < Duration::from_secs(1)));
    assert_eq!(tokens.check(&token, expires + Duration::from_secs(1)), Err("ended"));
    let claims: Value = jsonwebtoken::dangerous::insecure_decode::<Value>(&token).expect("claims").claims;
    let mut names: Vec<_> = claims.as_object().expect("an object").keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["auth_time", "customer_id", "exp", "iat", "password_set", "permission", "sub"]);
    assert_eq!(claim.signed_in.map(|signed_in| signed_in.password_set), Some(7));
}

#[test]
fn only_what_this_hub_alone_says_makes_a_sign_in() {
    let mut claims = fine();
    (claims["iat"], claims["auth_time"]) = (json!(now_secs()), json!(now_secs()));
    let signed_in = |claims: &Value| ours(claims).expect("a claim").signed_in;
    assert_eq!(signed_in(&claims), None);
    claims["password_set"] = json!(7);
    assert_eq!(signed_in(&claims).map(|signed_in| signed_in.password_set), Some(7));
    claims["auth_time"] = Value::Null;
    assert_eq!(signed_in(&claims), None);
}

#[test]
fn a_token_must_end_and_must_not_have_ended() {
    let with = |name: &str, value: Value| {
        let mut claims = fine();
        claims["exp"] = Value::Null;
        claims[name] = value;
        ours(&claims).map(|_| ())
    };
    assert_eq!(ours(&fine()).map(|_| ()), Ok(()));
    assert_eq!(with("exp", Value::Null), Err("without an end"));
    assert_eq!(with("exp", json!(now_secs() - 1)), Err("ended"));
    assert_eq!(with("exp", json!(now_secs() as f64 + 60.5)), Ok(()));
    assert!(with("exp", json!("soon")).is_err());
    assert!(with("exp", json!(-1)).is_err());
    assert_eq!(with("exp", json!(1e300)), Ok(()));
    assert_eq!(with("expire", json!("2999-01-01 00:00:00.000000")), Ok(()));
    assert_eq!(with("expire", json!("2020-01-01 00:00:00.000000")), Err("ended"));
    let mut later = fine();
    later["nbf"] = json!(now_secs() + 600);
    assert_eq!(ours(&later), Err("not begun"));
    // Of two ends the earlier one counts.
    let mut both = fine();
    both["expire"] = json!("2020-01-01 00:00:00.000000");
    assert_eq!(ours(&both), Err("ended"));
}

#[test]
fn a_voipbin_token_is_taken() {
    let agent =
        json!({"id": AGENT, "customer_id": CUSTOMER, "permission": 64, "name": "Bob", "username": "bob@x.test"});
    let claims = json!({"type": "agent", "agent": agent, "expire": "2999-01-01 00:00:00.000000"});
    let claim = ours(&claims).expect("a claim");
    assert_eq!((claim.name.as_str(), claim.username.as_str()), ("Bob", "bob@x.test"));
    assert_eq!(claim.permissions, Permissions::MANAGER);
    let number = json!({"type": "agent", "agent": claims["agent"], "expire": now_secs() + 5});
    assert!(ours(&number).is_ok());
    let other = json!({"type": "accesskey", "agent": claims["agent"], "expire": now_secs() + 5});
    assert!(ours(&other).is_err());
}

#[test]
fn a_token_names_an_agent_of_a_customer() {
    for (name, value) in [("sub", json!("alice")), ("sub", Value::Null), ("customer_id", json!(7))] {
        let mut claims = fine();
        claims[name] = value;
        assert!(ours(&claims).is_err(), "{name}");
    }
    let mut odd = fine();
    odd["permission"] = json!(1 | 2 | 16 | 1024);
    assert_eq!(ours(&odd).map(|claim| claim.permissions), Ok(Permissions::AGENT));
}

#[test]
fn each_public_key_takes_its_own_algorithm_only() {
    for (algorithm, provider) in providers() {
        let mut settings = settings();
        settings.public_key_file = provider.path();
        let tokens = Tokens::new(&settings).expect("keys");
        let take = |token: &str| tokens.check(token, SystemTime::now()).map(|_| ());
        assert_eq!(take(&sign(&Header::new(algorithm), &fine(), &provider.signing)), Ok(()), "{algorithm:?}");
        for (other, stranger) in providers() {
            if other != algorithm {
                assert!(take(&sign(&Header::new(other), &fine(), &stranger.signing)).is_err(), "{other:?}");
            }
        }
        // The old trick: the public key, which everybody has, as a shared secret.
        let public = std::fs::read(provider.path()).expect("the key file");
        let der = DecodingKey::from_secret(&public);
        assert!(der.try_get_as_bytes().is_ok());
        for secret in [public.clone(), public.trim_ascii().to_vec()] {
            let forged = sign(&Header::new(Algorithm::HS256), &fine(), &EncodingKey::from_secret(&secret));
            assert!(take(&forged).is_err());
        }
    }
}

#[test]
fn without_a_secret_no_shared_secret_is_taken() {
    let (_, provider) = providers().pop().expect("a provider");
    let mut settings = settings();
    settings.secret = Secret::default();
    settings.public_key_file = provider.path();
    let tokens = Tokens::new(&settings).expect("keys");
    for secret in ["", SECRET] {
        let token = sign(&Header::new(Algorithm::HS256), &fine(), &EncodingKey::from_secret(secret.as_bytes()));
        assert!(tokens.check(&token, SystemTime::now()).is_err());
    }
    assert!(!tokens.can_mint());
    settings.public_key_file = String::new();
    assert!(matches!(Tokens::new(&settings), Err(SetupError::NoKey)));
}

#[test]
fn other_algorithms_and_none_are_not_taken() {
    let tokens = Tokens::new(&settings()).expect("keys");
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        assert!(tokens.check(&sign(&Header::new(algorithm), &fine(), &key), SystemTime::now()).is_err());
    }
    let mut demanding = Header::new(Algorithm::HS256);
    demanding.crit = Some(vec!["b64".to_owned()]);
    assert!(tokens.check(&sign(&demanding, &fine(), &key), SystemTime::now()).is_err());
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJlYjFhYzVjMC1mZjYzLTQ3ZTItYmNkYi01ZGE5YzMzNmViNGIifQ.";
    assert!(tokens.check(none, SystemTime::now()).is_err());
}

#[test]
fn a_provider_must_name_us_when_we_ask_for_it() {
    let (_, provider) = providers().swap_remove(0);
    let mut settings = settings();
    settings.public_key_file = provider.path();
    settings.audience = vec!["hub".to_owned()];
    settings.issuer = vec!["https://idp.test".to_owned()];
    let tokens = Tokens::new(&settings).expect("keys");
    let take = |audience: Value, issuer: Value| {
        let mut claims = fine();
        claims["aud"] = audience;
        claims["iss"] = issuer;
        let token = sign(&Header::new(Algorithm::EdDSA), &claims, &provider.signing);
        tokens.check(&token, SystemTime::now()).is_ok()
    };
    assert!(take(json!(["other", "hub"]), json!("https://idp.test")));
    assert!(!take(json!("other"), json!("https://idp.test")));
    assert!(!take(json!("hub"), json!("https://other.test")));
    assert!(!take(Value::Null, Value::Null));
    let own = sign(&Header::new(Algorithm::HS256), &fine(), &EncodingKey::from_secret(SECRET.as_bytes()));
    assert!(tokens.check(&own, SystemTime::now()).is_ok(), "our own tokens need neither");
}

#[test]
fn a_key_set_is_chosen_from_by_key_id() {
    let jwk = |algorithm, pem: &str, kid: &str| {
        let key = match algorithm {
            Algorithm::EdDSA => EncodingKey::from_ed_pem(pem.as_bytes()),
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            _ => EncodingKey::from_rsa_pem(pem.as_bytes()),
        };
        let mut jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key.expect("a key"), algorithm).expect("a jwk");
        jwk.common.key_id = Some(kid.to_owned());
        serde_json::to_value(jwk).expect("json")
    };
    let keys = vec![
        jwk(Algorithm::RS256, RSA_PRIVATE, "one"),
        jwk(Algorithm::ES256, EC_PRIVATE, "two"),
        jwk(Algorithm::EdDSA, ED_PRIVATE, "three"),
        json!({"kty": "RSA", "alg": "RSA-OAEP", "use": "enc", "kid": "four", "n": "AQAB", "e": "AQAB"}),
    ];
    let file = Provider::new(&json!({"keys": keys}).to_string(), EncodingKey::from_secret(b""));
    let mut settings = settings();
    settings.jwks_file = file.path();
    let tokens = Tokens::new(&settings).expect("keys");
    for ((algorithm, provider), kid) in providers().into_iter().zip(["three", "two", "one"]) {
        let mut header = Header::new(algorithm);
        let mut take = |kid: Option<&str>| {
            header.kid = kid.map(str::to_owned);
            tokens.check(&sign(&header, &fine(), &provider.signing), SystemTime::now()).is_ok()
        };
        assert!(take(Some(kid)), "{algorithm:?}");
        assert!(take(None), "{algorithm:?}");
        assert!(!take(Some("five")), "{algorithm:?}");
    }
    for wrong in [json!({"keys": []}), json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}), json!("keys")] {
        std::fs::write(file.path(), wrong.to_string()).expect("a file");
        assert!(Tokens::new(&settings).is_err(), "{wrong}");
    }
}

#[test]
fn a_key_file_must_hold_a_public_key() {
    for wrong in [RSA_PRIVATE, EC_PRIVATE, ED_PRIVATE, "", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"] {
        let file = Provider::new(wrong, EncodingKey::from_secret(b""));
        let mut settings = settings();
        settings.public_key_file = file.path();
        let refused = Tokens::new(&settings).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.starts_with("auth.public_key_file: "), "{refused}");
    }
}

proptest! {
    #[test]
    fn no_text_is_taken_for_a_token(text in "[A-Za-z0-9_.=-]{0,200}") {
        let tokens = Tokens::new(&settings()).expect("keys");
        prop_assert!(tokens.check(&text, SystemTime::now()).is_err());
    }
}
