//! `summary.json` is what `docs/summary.schema.json` says, with and without earlier runs.

use serde_json::Value;

use super::fixture::fixture;
use super::{Lang, Report, ReportInput, json};

fn published(input: &ReportInput) -> Value {
    let mut bytes = Vec::new();
    json::summary(&Report::new(input), &mut bytes).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// As much of JSON Schema as `docs/summary.schema.json` uses.
fn check(schema: &Value, root: &Value, value: &Value, at: &str) {
    if let Some(target) = schema["$ref"].as_str() {
        return check(root.pointer(target.strip_prefix('#').unwrap()).unwrap(), root, value, at);
    }
    if let Some(either) = schema["anyOf"].as_array() {
        assert!(value.is_null() || either.iter().any(|one| one["type"] != "null"), "{at}");
        if !value.is_null() {
            check(&either[0], root, value, at);
        }
        return;
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => vec![kind],
    };
    assert!(types.contains(&kind) || (kind == "integer" && types.contains(&"number")), "{at}: {kind} is not {types:?}");
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{at}: {value}");
    }
    if let Some(number) = value.as_f64() {
        assert!(schema["minimum"].as_f64().is_none_or(|minimum| number >= minimum), "{at}");
        assert!(schema["maximum"].as_f64().is_none_or(|maximum| number <= maximum), "{at}");
    }
    if let Some(object) = value.as_object() {
        for key in schema["required"].as_array().into_iter().flatten() {
            assert!(object.contains_key(key.as_str().unwrap()), "{at}: {key} is missing");
        }
        for (key, inner) in object {
            match schema["properties"].get(key) {
                Some(of) => check(of, root, inner, &format!("{at}/{key}")),
                None if schema["additionalProperties"].is_object() => {
                    check(&schema["additionalProperties"], root, inner, &format!("{at}/{key}"));
                }
                None => assert_ne!(schema["additionalProperties"], false, "{at}: {key} is not in the schema"),
            }
        }
    }
    for (index, inner) in value.as_array().into_iter().flatten().enumerate().filter(|_| schema["items"].is_object()) {
        check(&schema["items"], root, inner, &format!("{at}/{index}"));
    }
}

#[test]
fn the_summary_is_what_its_schema_says() {
    let schema: Value = serde_json::from_str(include_str!("../../docs/summary.schema.json")).unwrap();
    let mut with_title = fixture();
    with_title.as_first_run();
    for fixture in [fixture(), with_title] {
        check(&schema, &schema, &published(&fixture.input(Lang::Zh)), "");
    }
}
