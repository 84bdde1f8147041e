//! The table of what is served: where paths lead, and which methods they have.

use super::*;

fn pattern(path: &str) -> Option<&'static str> {
    find(path).map(|index| RESOURCES[index].pattern)
}

#[test]
fn paths_lead_to_their_resource() {
    let table = [
        ("/", Some("/")),
        ("/livez", Some("/livez")),
        ("/livez/", None),
        ("//livez", None),
        ("", None),
        ("*", None),
        ("/v1", None),
        ("/v1/kv", None),
        ("/v1/kv/main", Some("/v1/kv/{store}")),
        ("/v1/kv/", Some("/v1/kv/{store}")),
        ("/v1/kv/a%2Fb", Some("/v1/kv/{store}")),
        ("/v1/kv/main/", Some("/v1/kv/{store}/{key}")),
        ("/v1/kv/main/k", Some("/v1/kv/{store}/{key}")),
        ("/v1/kv/main/a//b/", Some("/v1/kv/{store}/{key}")),
        ("/v1/kv/main/%FF%0A", Some("/v1/kv/{store}/{key}")),
        ("/v1/%6Bv/main/k", Some("/v1/kv/{store}/{key}")),
        ("/v1%2Fkv/main/k", None),
        ("/V1/kv/main/k", None),
        ("/v1/openapi.json", Some("/v1/openapi.json")),
        ("/v1/stream", Some("/v1/stream")),
        ("/console", Some("/console")),
        ("/console/", Some("/console/")),
        ("/console/vendor/a.js", Some("/console/{file}")),
        ("/v1/stores", Some("/v1/stores")),
        ("/v1/stores/main", Some("/v1/stores/{store}")),
        ("/v1/stores/main/", None),
        ("/v1/stores/main/stats", Some("/v1/stores/{store}/stats")),
        ("/v1/stores/main/changes", Some("/v1/stores/{store}/changes")),
        ("/v1/stores/main/convergence", Some("/v1/stores/{store}/convergence")),
        ("/v1/stores/main/convergence/n2", Some("/v1/stores/{store}/convergence/{peer}")),
        ("/v1/stores/main/batch", Some("/v1/stores/{store}/batch")),
        ("/v1/stores/main/batch/x", None),
        ("/v1/stores/main/receipts", None),
        ("/v1/stores/main/receipts/v", Some("/v1/stores/{store}/receipts/{version}")),
        ("/v1/stores/main/receipts/v/", None),
    ];
    for (path, expected) in table {
        assert_eq!(pattern(path), expected, "{path}");
    }
}

#[test]
fn a_method_that_is_not_there_is_told_which_are() {
    let resource = &RESOURCES[0];
    assert_eq!(resource.endpoint(Verb::Head), Ok(Endpoint::GetKey));
    let response = resource.endpoint(Verb::Post).unwrap_err().into_response("/", "r");
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers().get("allow").unwrap(), "GET, HEAD, PUT, DELETE, PATCH");
}

#[test]
fn verbs() {
    for (index, verb) in Verb::ALL.into_iter().enumerate() {
        assert_eq!(verb.index(), index);
    }
    assert_eq!(Verb::of(&Method::PUT), Verb::Put);
    assert_eq!(Verb::of(&Method::TRACE), Verb::Other);
    assert_eq!(Verb::of(&Method::from_bytes(b"other").unwrap()), Verb::Other);
}

#[test]
fn whatever_is_read_can_be_asked_for_its_head() {
    for resource in &RESOURCES {
        let has = |verb| resource.endpoint(verb).is_ok();
        assert_eq!(has(Verb::Get), has(Verb::Head), "{}", resource.pattern);
    }
}
