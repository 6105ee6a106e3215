//! Where a request carries its credential, and whether a cookie may act.

/// A credential as it came. It has no `Debug`, so that it is in no log.
pub struct Presented {
    pub text: String,
    /// A browser sends cookies by itself, so these must come from a page that may act.
    pub from_cookie: bool,
}

/// The credential of a request: `?token=`, `Authorization: Bearer`, cookie `token`, `?accesskey=`,
/// cookie `accesskey`; the first that is there and not empty.
pub fn presented(
    query: &str,
    authorization: Option<&str>,
    cookie: impl Fn(&str) -> Option<String>,
) -> Option<Presented> {
    let parameter = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.into_owned())
    };
    let cookie = |name: &str| cookie(name).filter(|value| !value.is_empty());
    let plain = |text: String| Presented { text, from_cookie: false };
    let baked = |text: String| Presented { text, from_cookie: true };
    parameter("token")
        .or_else(|| authorization.and_then(bearer))
        .map(plain)
        .or_else(|| cookie("token").map(baked))
        .or_else(|| parameter("accesskey").map(plain))
        .or_else(|| cookie("accesskey").map(baked))
}

fn bearer(header: &str) -> Option<String> {
    let (scheme, text) = header.trim().split_once(' ')?;
    let text = text.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !text.is_empty()).then(|| text.to_owned())
}

/// Whether a page of this origin may act with a cookie: the hub's own pages, and those of the
/// configured origins. A request that names no origin is no page's: browsers name theirs with
/// every call that acts.
#[must_use]
pub fn origin_may_act(origin: Option<&str>, host: &str, allowed: &[String]) -> bool {
    let Some(origin) = origin else { return true };
    let own = origin.split_once("://").is_some_and(|(scheme, rest)| {
        matches!(scheme, "http" | "https") && !host.is_empty() && rest.eq_ignore_ascii_case(host)
    });
    own || allowed.iter().any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_credential_is_none() {
        assert!(presented("token=&accesskey=", Some("Bearer "), |_| Some(String::new())).is_none());
        assert!(presented("", Some("Basic YTpi"), |_| None).is_none());
        assert!(presented("tokens=x", None, |_| None).is_none());
    }

    #[test]
    fn a_token_in_the_url_may_be_escaped() {
        let found = presented("a=b&token=vb%5Fx%2Dy", None, |_| None).map(|found| found.text);
        assert_eq!(found.as_deref(), Some("vb_x-y"));
        let found = presented("", Some("bearer  abc "), |_| None).map(|found| found.text);
        assert_eq!(found.as_deref(), Some("abc"));
    }

    proptest! {
        #[test]
        fn the_first_present_wins(there in proptest::array::uniform5(any::<bool>())) {
            let [url_token, header, cookie_token, url_key, cookie_key] = there;
            let mut query = String::from("page_size=1");
            if url_key { query.push_str("&accesskey=4") }
            if url_token { query.push_str("&token=1") }
            let cookie = |name: &str| match name {
                "token" => cookie_token.then(|| "3".to_owned()),
                "accesskey" => cookie_key.then(|| "5".to_owned()),
                _ => None,
            };
            let found = presented(&query, header.then_some("Bearer 2"), cookie);
            let first = there.iter().position(|there| *there).map(|place| (place + 1).to_string());
            prop_assert_eq!(found.as_ref().map(|found| found.text.clone()), first.clone());
            let baked = matches!(first.as_deref(), Some("3" | "5"));
            prop_assert_eq!(found.is_some_and(|found| found.from_cookie), baked);
        }
    }

    #[test]
    fn a_cookie_acts_for_pages_of_ours_and_of_those_we_named() {
        let allowed = ["https://talk.example.com/".to_owned()];
        for (origin, may) in [
            (Some("http://127.0.0.1:8080"), true),
            (Some("https://talk.example.com"), true),
            (Some("https://talk.example.com.evil.test"), false),
            (Some("https://evil.test"), false),
            (Some("null"), false),
            (Some(""), false),
            (None, true),
        ] {
            assert_eq!(origin_may_act(origin, "127.0.0.1:8080", &allowed), may, "{origin:?}");
        }
        assert!(!origin_may_act(Some("http://"), "", &[]));
    }
}
