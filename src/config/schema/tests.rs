//! Mistakes and their places; the files of the schemas.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::config::file::ConfigFile;
use crate::config::providers::ProvidersFile;

#[test]
fn the_schemas_are_those_of_the_types() {
    let made = [
        ("apis.schema.json", CONFIG_SCHEMA, schemars::schema_for!(ConfigFile)),
        ("providers.schema.json", PROVIDERS_SCHEMA, schemars::schema_for!(ProvidersFile)),
    ];
    for (name, kept, made) in made {
        let made = format!("{:#}\n", made.to_value());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
            std::fs::write(path, &made).unwrap();
        } else {
            assert!(kept == made, "config/{name} is old: run UPDATE_DOCS=1 cargo test --lib schemas");
        }
    }
}

#[test]
fn every_mistake_is_named_with_its_place() {
    let found = check(&json!({
        "server": { "port": "3001", "cors": [] },
        "apis": [
            { "id": "a", "baseUrl": "http://x", "apiKey": "k", "rpm": 1.5, "modelMaping": {} },
            { "id": 7, "base_url": "http://x", "models": ["m", 3], "weight": 0 }
        ],
    }));
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    for wanted in [
        "server.port: must be a whole number, is a string",
        "server.cors: must not be an empty list; give at least one, or leave the field out",
        "apis[0].rpm: must be a whole number, is a number with a fraction",
        "apis[0].modelMaping: unknown field, did you mean modelMapping?",
        "apis[1].id: must be a string, is a whole number",
        "apis[1].base_url: unknown field, did you mean baseUrl?",
        "apis[1].models[1]: must be a string, is a whole number",
        "apis[1].weight: must be between 1 and 1000000, is 0",
    ] {
        assert!(found.iter().any(|f| f == wanted), "no {wanted:?} in {found:#?}");
    }
    assert_eq!(found.len(), 8);
}

#[test]
fn one_key_or_a_list_of_them() {
    for key in [json!("k"), json!(["k"]), json!(null)] {
        let document = json!({"server": {"apiKey": key}, "apis": [{"id": "a", "baseUrl": "http://x"}]});
        assert_eq!(check(&document), vec![]);
    }
}
