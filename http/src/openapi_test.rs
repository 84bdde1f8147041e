//! The document beside the table of routes, the codes, and the copy that is kept for readers.

use super::*;
use crate::role::Role;

/// The copy, which programs are made from.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_copy_is_the_document() {
    let pretty = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("GRIDKV_WRITE_OPENAPI").is_some() {
        std::fs::write(KEPT, &pretty).unwrap();
    }
    let kept = std::fs::read_to_string(KEPT).unwrap_or_default();
    assert!(
        kept == pretty,
        "http/openapi.json is not what the node serves; make openapi renews it"
    );
}

#[test]
fn every_route_and_method_is_in_it() {
    let document = document();
    for resource in &RESOURCES {
        for (verb, endpoint) in resource.methods {
            let verb = verb.as_str().to_ascii_lowercase();
            let operation = &document["paths"][resource.pattern][&verb];
            let place = format!("{verb} {}", resource.pattern);
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{place}");
            let named = |kind: &str| -> Vec<&str> {
                let all = operation["parameters"].as_array().into_iter().flatten();
                all.filter(|it| it["in"] == kind).map(|it| it["name"].as_str().unwrap()).collect()
            };
            let query: Vec<&str> = endpoint.query().iter().map(|known| known.name).collect();
            assert_eq!(named("query"), query, "{place}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with(['2', '3'])), "{place}");
            assert!(responses.contains_key("400"), "{place}");
            let asked = endpoint.role().is_some();
            assert_eq!(operation["security"].as_array().unwrap().len(), if asked { 2 } else { 0 });
            for status in ["401", "429"] {
                assert_eq!(responses.contains_key(status), asked, "{place}");
            }
            let said = operation["description"].as_str().unwrap();
            let role = endpoint.role().map_or("Everybody", Role::as_str);
            assert!(said.contains(role), "{place}: {said}");
        }
    }
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), RESOURCES.len());
}

#[test]
fn operations_have_names_of_their_own() {
    let document = document();
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<&str> =
        operations.filter_map(|operation| operation["operationId"].as_str()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn every_code_but_those_of_the_edge_belongs_to_an_endpoint() {
    // Where no endpoint is reached.
    const EDGE: [&str; 2] = ["method_not_allowed", "route_not_found"];
    let mut told = BTreeSet::from(EDGE);
    for resource in &RESOURCES {
        for (_, endpoint) in resource.methods {
            let refusals = refusals(*endpoint);
            told.extend(refusals.values().flatten().map(|code| code.as_str()));
        }
    }
    // A part of a batch has its code inside the answer.
    told.insert("batch_aborted");
    let all: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(all.difference(&told).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(json: &'a Json, found: &mut Vec<&'a str>) {
        match json {
            Json::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Json::as_str));
                fields.values().for_each(|json| references(json, found));
            }
            Json::Array(all) => all.iter().for_each(|json| references(json, found)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for reference in found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference}");
    }
}
