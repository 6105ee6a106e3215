//! Who comes in, and how often.

use actix_web::cookie::Cookie;

use super::*;

#[actix_web::test]
async fn the_caller_is_known_before_anything_is_read() {
    let home = home(|settings| settings.limits.body_bytes_max = 1_000);
    let app = app!(home);
    let hub = client!(app);
    let Founded { bob, .. } = hub.founded().await;
    let large = json!({"name": "x".repeat(2_000)});
    for (method, path, body) in [
        ("GET", "/v1.0/agents/no-id", json!({})),
        ("GET", "/v1.0/agents?page_size=ten", json!({})),
        ("PUT", "/v1.0/service_agents/me", json!([])),
        ("PUT", "/v1.0/service_agents/me", large.clone()),
    ] {
        let nobody = hub.refused(method, path, "", body.clone()).await;
        assert_eq!(nobody, reason(401, "AUTHENTICATION_REQUIRED"), "{path}");
        let stranger = hub.refused(method, path, "no.such.token", body).await;
        assert_eq!(stranger, reason(401, "INVALID_CREDENTIALS"), "{path}");
    }
    assert_eq!(hub.refused("GET", "/v1.0/agents/no-id", &bob, json!({})).await, reason(400, "INVALID_ID"));
    let size = hub.refused("GET", "/v1.0/agents?page_size=ten", &bob, json!({})).await;
    assert_eq!(size, reason(400, "INVALID_REQUEST_PARAMETER"));
    for (body, said) in
        [(json!([]), "INVALID_JSON_BODY"), (large, "PAYLOAD_TOO_LARGE"), (json!({"name": 1}), "INVALID_JSON_BODY")]
    {
        assert_eq!(hub.refused("PUT", "/v1.0/service_agents/me", &bob, body).await, reason(400, said));
    }
    assert_eq!(hub.refused("GET", "/v1.0/nowhere", "", json!({})).await, reason(404, "ROUTE_NOT_FOUND"));
    assert_eq!(hub.refused("PATCH", "/v1.0/agents", &bob, json!({})).await, reason(404, "ROUTE_NOT_FOUND"));
    // The operator makes customers and agents, and nothing else.
    assert_eq!(hub.refused("GET", "/v1.0/agents", ADMIN, json!({})).await, reason(403, "PERMISSION_DENIED"));
    assert_eq!(hub.refused("GET", "/v1.0/customers", &bob, json!({})).await, reason(403, "PERMISSION_DENIED"));
    assert_eq!(hub.get("/v1.0/customers", ADMIN).await.1["result"][0]["name"], "Demo");
}

#[actix_web::test]
async fn a_cookie_acts_only_for_our_own_pages() {
    let home = home(|settings| settings.auth.allowed_origins = vec!["https://app.example".to_owned()]);
    let app = app!(home);
    let hub = client!(app);
    let Founded { alice, .. } = hub.founded().await;
    let login = call::TestRequest::post().uri("/v1.0/auth/login");
    let login = login.set_json(json!({"username": "alice@demo.test", "password": "demo"})).to_request();
    let response = call::call_service(&app, login).await;
    let cookie = response.headers().get("set-cookie").and_then(|cookie| cookie.to_str().ok()).unwrap_or_default();
    for part in ["token=", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let act = |method: Method, origin: Option<&'static str>| {
        let mut request = call::TestRequest::with_uri("/v1.0/service_agents/me")
            .method(method)
            .cookie(Cookie::new("token", alice.clone()))
            .insert_header(("Host", "hub.example"))
            .set_json(json!({"name": "Alice"}));
        if let Some(origin) = origin {
            request = request.insert_header(("Origin", origin));
        }
        let answered = call::call_service(&app, request.to_request());
        async { answered.await.status().as_u16() }
    };
    assert_eq!(act(Method::GET, None).await, 200);
    assert_eq!(act(Method::GET, Some("https://evil.example")).await, 200);
    assert_eq!(act(Method::PUT, Some("https://hub.example")).await, 200);
    assert_eq!(act(Method::PUT, Some("https://app.example")).await, 200);
    assert_eq!(act(Method::PUT, Some("https://evil.example")).await, 403);
    // No page at all: a program, which could say what it likes.
    assert_eq!(act(Method::PUT, None).await, 200);
}

#[actix_web::test]
async fn whoever_calls_too_often_is_told_when_to_come_back() {
    let home = home(|settings| settings.limits.agent_per_second = 3);
    let app = app!(home);
    let hub = client!(app);
    let Founded { alice, .. } = hub.founded().await;
    let mut said = Vec::new();
    for _ in 0..12 {
        said.push(hub.get("/v1.0/service_agents/me", &alice).await.0);
    }
    assert!(said[..6].iter().all(|status| *status == 200) && said.contains(&429), "{said:?}");
    let login = || {
        let body = json!({"username": "alice@demo.test", "password": "demo"});
        let from = "127.0.0.1:9".parse().expect("an address");
        call::TestRequest::post().uri("/auth/login").peer_addr(from).set_json(body).to_request()
    };
    assert_eq!(call::call_service(&app, login()).await.status().as_u16(), 200);
}
