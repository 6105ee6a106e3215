//! File and structs are one, and nothing bad gets in unnamed.

use std::path::Path;

use super::*;

fn variables<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (String, String)> + 'a {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

fn from_file(text: &str) -> Result<Settings, SettingsError> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("hub.toml");
    std::fs::write(&path, text).expect("a file");
    Settings::load(Some(&path), [])
}

/// Section, key and value of every line that sets something.
fn keys() -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in BASE.lines() {
        if let Some(name) = line.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            keys.push((section.clone(), key.to_owned(), value.to_owned()));
        }
    }
    keys
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let settings = Settings::load(None, []).expect("base.toml is valid");
    assert_eq!(settings.server.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.store.kind, StoreKind::Embedded);
    assert_eq!(settings.store.wait(), Duration::from_secs(5));
    assert_eq!(settings.limits.text_bytes_max, 16 * 1024);
    assert_eq!(settings.limits.file_bytes_max, 30 * 1024 * 1024);
    assert_eq!(settings.limits.outbox_bytes_max, 1024 * 1024);
    assert!(settings.server.worker_threads() >= 1 && settings.server.chat_thread_count() >= 1);
}

#[test]
fn every_key_of_the_structs_is_in_the_file() {
    for (section, key, value) in keys() {
        let without = BASE.replacen(&format!("\n{key} = {value}\n"), "\n", 1);
        assert_ne!(without, BASE, "{section}.{key}");
        let error = toml_to_settings(&without).expect_err("a key is missing");
        assert!(error.contains(&key), "{section}.{key}: {error}");
    }
}

/// The structs alone, without the layers: every key needed, none tolerated besides.
fn toml_to_settings(text: &str) -> Result<Settings, String> {
    config::Config::builder()
        .add_source(config::File::from_str(text, config::FileFormat::Toml))
        .build()
        .and_then(config::Config::try_deserialize)
        .map_err(|error| error.to_string())
}

#[test]
fn every_key_of_the_file_is_in_the_structs_and_explained_above_it() {
    toml_to_settings(BASE).expect("no key that the structs do not know");
    let mut above = "";
    for line in BASE.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(above.starts_with("# "), "no comment above {line:?}");
        }
        above = line;
    }
}

#[test]
fn every_number_has_a_most() {
    for (section, key, value) in keys() {
        if value.parse::<u64>().is_ok() {
            let error = from_file(&format!("[{section}]\n{key} = 9000000000000000000")).expect_err(&key);
            assert_eq!(error.path, format!("{section}.{key}"));
        }
    }
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_base() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("hub.toml");
    std::fs::write(&path, "[server]\nping_secs = 5\ndrain_secs = 3\n").expect("a file");
    let environment = [
        ("TALK__SERVER__PING_SECS", "7"),
        ("TALK__STORE__PREFIX", "007"),
        ("TALK__AUTH__COOKIE_SECURE", "true"),
        ("TALK__AUTH__ALLOWED_ORIGINS", "https://a.example, https://b.example:8443"),
        ("TALKATIVE", "not ours"),
    ];
    let settings = Settings::load(Some(&path), variables(&environment)).expect("valid");
    assert_eq!((settings.server.ping_secs, settings.server.drain_secs, settings.server.idle_secs), (7, 3, 60));
    assert_eq!(settings.store.prefix, "007");
    assert!(settings.auth.cookie_secure);
    assert_eq!(settings.auth.allowed_origins, ["https://a.example", "https://b.example:8443"]);
}

#[test]
fn a_text_can_be_kept_in_a_file_of_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("token").display().to_string();
    std::fs::write(&path, "0123456789abcdef0123\n").expect("a file");
    let settings = Settings::load(None, variables(&[("TALK__AUTH__ADMIN_TOKEN_FILE", &path)])).expect("valid");
    assert_eq!(settings.auth.admin_token.expose(), "0123456789abcdef0123");
    let refused = |pairs: &[(&str, &str)]| Settings::load(None, variables(pairs)).expect_err("refused").to_string();
    let twice = [("TALK__AUTH__ADMIN_TOKEN", "0123456789abcdef"), ("TALK__AUTH__ADMIN_TOKEN_FILE", path.as_str())];
    assert_eq!(refused(&twice), "auth.admin_token: given twice, also as TALK__AUTH__ADMIN_TOKEN_FILE");
    let gone = format!("{path}.gone");
    let said = refused(&[("TALK__AUTH__SECRET_FILE", &gone)]);
    assert!(said.starts_with("auth.secret_file: ") && said.contains(&gone), "{said}");
    // A key that ends so itself, and what is no text, mean what they always meant.
    let jwks = Settings::load(None, variables(&[("TALK__AUTH__JWKS_FILE", "/keys")])).expect("valid");
    assert_eq!(jwks.auth.jwks_file, "/keys");
    assert_eq!(
        refused(&[("TALK__SERVER__WORKERS_FILE", &path)]),
        "server.workers_file: no such setting (from TALK__SERVER__WORKERS_FILE)"
    );
}

#[test]
fn what_is_wrong_in_the_environment_is_named() {
    for (name, value, said) in [
        ("TALK__SERVER__BIND", "here", "server.bind: invalid socket address syntax"),
        (
            "TALK__SERVER__WORKERS",
            "two",
            "server.workers: must be a whole number, not negative (from TALK__SERVER__WORKERS)",
        ),
        (
            "TALK__SERVER__WORKERS",
            "-1",
            "server.workers: must be a whole number, not negative (from TALK__SERVER__WORKERS)",
        ),
        (
            "TALK__SERVER__WORKERS",
            "1.9",
            "server.workers: must be a whole number, not negative (from TALK__SERVER__WORKERS)",
        ),
        ("TALK__SERVER__WORKERS", "513", "server.workers: must be 0 to 512, is 513"),
        ("TALK__SERVER__BACKLOG", "99999999999", "server.backlog: must be an unsigned 32 bit integer"),
        (
            "TALK__SERVER__PUBLIC_URL",
            "talk.example.com",
            "server.public_url: must be http(s)://host[:port], without a path",
        ),
        ("TALK__SERVER__IDLE_SECS", "10", "server.idle_secs: must be more than server.ping_secs"),
        ("TALK__STORE__KIND", "postgres", "store.kind: must be \"embedded\" or \"redis\""),
        ("TALK__STORE__KIND", "redis", "auth.secret: must be given with store.kind = \"redis\", the same on every hub"),
        ("TALK__STORE__PREFIX", "a{b}", "store.prefix: must be 1 to 64 letters, digits and -_.: characters"),
        (
            "TALK__LIMITS__FOLLOWED_CHATS_MAX",
            "8000",
            "limits.outbox_bytes_max: must be at least 1152000: 144 bytes per followed chat",
        ),
        ("TALK__STORE__WAIT_MS", "1", "store.wait_ms: must be 100 to 60000, is 1"),
        ("TALK__STORE__DIR", "", "store.dir: must not be empty"),
        ("TALK__FILES__URL", "files", "files.url: relative URL without a base"),
        ("TALK__FILES__URL", "gs://bucket", "files.url: gs:// is not supported; file:// and s3:// are"),
        ("TALK__FILES__URL", "file://host/x", "files.url: must be file:/// and an absolute path"),
        ("TALK__AUTH__SECRET", "too short", "auth.secret: must have at least 16 bytes"),
        ("TALK__AUTH__DIRECTORY", "ldap", "auth.directory: must be \"local\" or \"claims\""),
        (
            "TALK__AUTH__COOKIE_SECURE",
            "yes",
            "auth.cookie_secure: must be true or false (from TALK__AUTH__COOKIE_SECURE)",
        ),
        (
            "TALK__AUTH__ALLOWED_ORIGINS",
            "https://a.example/",
            "auth.allowed_origins: \"https://a.example/\" is not http(s)://host[:port]",
        ),
        ("TALK__LIMITS__RESUME_EVENTS_MAX", "999", "limits.resume_events_max: must be 1000 to 1000000, is 999"),
        (
            "TALK__LIMITS__TEXT_BYTES_MAX",
            "300000",
            "limits.text_bytes_max: must not be more than limits.body_bytes_max",
        ),
        ("TALK__LOG__FORMAT", "xml", "log.format: must be \"text\" or \"json\""),
        ("TALK__SERVER__PORT", "80", "server.port: no such setting (from TALK__SERVER__PORT)"),
        ("TALK__SERVER", "x", "server: no such setting (from TALK__SERVER)"),
        ("TALK__", "x", ": no such setting (from TALK__)"),
    ] {
        let error = Settings::load(None, variables(&[(name, value)])).expect_err(name);
        assert_eq!(error.to_string(), said);
    }
    let error = Settings::load(None, variables(&[("TALK__LOG__FILTER", "info,=")])).expect_err("no filter");
    assert_eq!(error.path, "log.filter");
}

#[test]
fn what_is_wrong_in_the_file_is_named() {
    for (text, said) in [
        ("port = 80", "port: no such setting"),
        ("server = 80", "server: is a section, not a key"),
        ("[server]\nport = 80", "server.port: no such setting"),
        ("[server]\nworkers = \"4\"", "server.workers: must be a whole number, not negative"),
        ("[server]\nworkers = 1.9", "server.workers: must be a whole number, not negative"),
        ("[server.bind]\nport = 80", "server.bind: must be a text in quotes"),
        ("[auth]\nsecret = 12345", "auth.secret: must be a text in quotes"),
        ("[auth]\ncookie_secure = 1", "auth.cookie_secure: must be true or false"),
        ("[auth]\nallowed_origins = [1]", "auth.allowed_origins: must be a list of texts"),
    ] {
        assert_eq!(from_file(text).expect_err(text).to_string(), said);
    }
    let absent = Settings::load(Some(Path::new("/nowhere/hub.toml")), []).expect_err("no file");
    assert_eq!(absent.path, "/nowhere/hub.toml");
}

#[test]
fn a_secret_is_in_no_error_and_no_debug_print() {
    let broken = from_file("[auth]\nsecret = \"my dear secret phrase\n").expect_err("no TOML");
    assert!(broken.path.ends_with("hub.toml") && broken.problem.contains("line 2"), "{broken}");
    assert!(!broken.to_string().contains("dear"), "{broken}");
    let environment = [
        ("TALK__AUTH__SECRET", "my dear secret phrase"),
        ("TALK__AUTH__ADMIN_TOKEN", "my dear admin token"),
        ("TALK__STORE__URL", "redis://user:dear@localhost"),
    ];
    let settings = Settings::load(None, variables(&environment)).expect("valid");
    assert!(!format!("{settings:?}").contains("dear"));
    assert_eq!(settings.auth.secret.expose(), "my dear secret phrase");
}

#[test]
fn an_embedded_hub_makes_its_secret_once() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().expect("a directory");
    let store = dir.path().join("data");
    let path = store.to_str().expect("a path").to_owned();
    let secret = || {
        let mut settings = Settings::load(None, variables(&[("TALK__STORE__DIR", &path)])).expect("valid");
        settings.ensure_secret().map(|()| settings.auth.secret.expose().to_owned())
    };
    let first = secret().expect("a secret");
    assert_eq!(first.len(), 64);
    assert_eq!(secret(), Ok(first));
    let file = store.join("secret");
    assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&store).expect("the directory").count(), 1, "nothing else is left");
    std::fs::write(&file, "cut").expect("written");
    assert_eq!(secret().expect_err("cut short").path, "auth.secret");
}

#[test]
fn files_go_beside_the_store_unless_told_otherwise() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("a path");
    let beside = Settings::load(None, variables(&[("TALK__STORE__DIR", path)])).expect("valid");
    let url = beside.files_url().expect("a folder");
    assert!(url.as_str().starts_with("file:///") && url.as_str().ends_with("/files/"), "{url}");
    assert!(dir.path().join("files").is_dir());
    let told = Settings::load(None, variables(&[("TALK__FILES__URL", "file:///srv/files")])).expect("valid");
    assert_eq!(told.files_url().expect("a url").as_str(), "file:///srv/files");
}

#[test]
fn the_example_for_production_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/production.toml");
    let secret = [("TALK__AUTH__SECRET", "sixteen bytes or more")];
    let settings = Settings::load(Some(&path), variables(&secret)).expect("valid");
    assert_eq!(settings.store.kind, StoreKind::Redis);
    let without = Settings::load(Some(&path), []).expect_err("no secret");
    assert_eq!(without.path, "auth.secret");
}
