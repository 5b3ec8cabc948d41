//! The Node project's own configuration. Its fields are ours, but for what nobody reads.
//!
//! 1. A field that the pool knows is taken as it is; a name with `_` or `-` is read as the name that is meant.
//! 2. Keys go the way of all keys.
//! 3. Anything else is left out, and named: the pool refuses what it does not know.

use serde_json::{Map, Value, json};

use crate::cli::import::draft::ConfigDraft;
use crate::cli::import::secrets::{KeySource, variable};
use crate::cli::import::tree::Node;
use crate::config::{ApiKey, config_schema};

pub(super) fn read(root: &Node<'_>, draft: &mut ConfigDraft) -> Result<(), String> {
    let Some(apis) = root.get("apis").filter(Node::is_list) else {
        return Err("has no apis; is it the Node project's configuration?".to_owned());
    };
    let schema = Schema(config_schema());
    for api in apis.items() {
        entry(&api, &schema, draft);
    }
    if let Some(server) = root.get("server") {
        let mut fields = schema.known("/$defs/ServerFile", &server);
        client_keys(&server, &mut fields, draft);
        draft.server.extend(fields);
    }
    // The accounts and the server went their own way.
    let mut more = schema.known_but(&["apis", "server", "$schema"], root);
    draft.more.append(&mut more);
    if let Some(schema) = root.get("$schema") {
        schema.leave("is for editors; see api-together schema");
    }
    Ok(())
}

/// Puts the clients' keys in the place of what was copied.
fn client_keys(server: &Node<'_>, fields: &mut Map<String, Value>, draft: &ConfigDraft) {
    for name in ["apiKey", "apiKeys"] {
        let Some(field) = find(server, name) else { continue };
        let keys = field.texts().into_iter().filter_map(|(field, key)| {
            let (written, how) = client_key(&key, draft)?;
            if how.is_empty() {
                field.carry()
            } else {
                field.change(how)
            }
            Some(written)
        });
        let keys: Vec<Value> = keys.collect();
        match (&*keys, name) {
            ([], _) => drop(fields.remove(name)),
            ([one], "apiKey") => drop(fields.insert(name.to_owned(), one.clone())),
            _ => drop(fields.insert(name.to_owned(), json!(keys))),
        }
    }
}

fn entry(api: &Node<'_>, schema: &Schema, draft: &mut ConfigDraft) {
    let mut fields = schema.known("/$defs/ApiFile", api);
    for name in ["id", "apiKey", "headers"] {
        fields.remove(name);
    }
    let id = find(api, "id").or_else(|| find(api, "name"));
    id.iter().filter(|id| id.text().is_some()).for_each(Node::carry);
    let wish = id.and_then(|id| id.text()).unwrap_or_else(|| "api".to_owned());
    let id = draft.exact_id(&wish);
    let mut entry = Map::from_iter([("id".to_owned(), json!(id))]);
    entry.extend(fields);
    if let Some((field, key)) = find(api, "apiKey").and_then(|field| Some((field.clone(), field.text()?))) {
        let todo = if key.contains("${") {
            entry.insert("apiKey".to_owned(), json!(key));
            None
        } else {
            draft.secrets.write_key(&id, &KeySource::Given(ApiKey::new(&key)), &mut entry)
        };
        todo.map_or_else(|| field.carry(), |todo| field.change(todo));
    }
    let mut headers = Map::new();
    for (name, value) in find(api, "headers").iter().flat_map(Node::fields) {
        let Some(text) = value.text() else { continue };
        let (written, todo) =
            if text.contains("${") { (text, None) } else { draft.secrets.other(&text, &variable(&id, name)) };
        headers.insert(name.to_owned(), json!(written));
        todo.map_or_else(|| value.carry(), |todo| value.change(todo));
    }
    if !headers.is_empty() {
        entry.insert("headers".to_owned(), Value::Object(headers));
    }
    draft.add_whole(entry);
}

fn client_key(key: &str, draft: &ConfigDraft) -> Option<(Value, &'static str)> {
    if key.contains("${") || key.starts_with("sha256:") {
        return Some((json!(key), ""));
    }
    draft.secrets.client_key(&KeySource::Given(ApiKey::new(key)))
}

/// The schema of the configuration, which says what is known.
struct Schema(&'static Value);

impl Schema {
    /// Returns the known fields of an object that have values. Marks all fields.
    fn known(&self, place: &str, object: &Node<'_>) -> Map<String, Value> {
        self.0.pointer(place).map(|place| self.fields(place, object)).unwrap_or_default()
    }

    /// Does the same for the whole file, without fields of these names.
    fn known_but(&self, names: &[&str], root: &Node<'_>) -> Map<String, Value> {
        let mut fields = Map::new();
        for (name, field) in root.fields().into_iter().filter(|(name, _)| !names.contains(name)) {
            self.field(self.0, (name, &field), &mut fields);
        }
        fields
    }

    fn fields(&self, place: &Value, object: &Node<'_>) -> Map<String, Value> {
        let mut fields = Map::new();
        for (name, field) in object.fields() {
            self.field(place, (name, &field), &mut fields);
        }
        fields
    }

    fn field(&self, place: &Value, field: (&str, &Node<'_>), into: &mut Map<String, Value>) {
        let (name, field) = field;
        let is_map = place.get("properties").is_none();
        let ours = if is_map { name.to_owned() } else { camel(name) };
        let known =
            place.get("properties").and_then(|fields| fields.get(&ours)).or_else(|| place.get("additionalProperties"));
        let Some(known) = known.filter(|known| known.is_object()) else {
            return field.leave("the pool has no such field");
        };
        if let Some(value) = self.value(self.resolved(known), field) {
            if name != ours {
                field.change(format!("is {ours}"));
            }
            into.insert(ours, value);
        }
    }

    fn value(&self, place: &Value, node: &Node<'_>) -> Option<Value> {
        if node.is_object() {
            let fields = self.fields(place, node);
            return (!fields.is_empty()).then_some(Value::Object(fields));
        }
        if node.is_list() {
            let items: Vec<Value> = node.items().iter().filter_map(|item| self.value(&Value::Null, item)).collect();
            return (!items.is_empty()).then_some(Value::Array(items));
        }
        if node.value().is_null() {
            return None;
        }
        node.carry();
        Some(number_of(node, place))
    }

    /// Follows a reference.
    fn resolved<'a>(&'a self, place: &'a Value) -> &'a Value {
        let choices = place.get("anyOf").and_then(Value::as_array);
        let place = choices.and_then(|choices| choices.first()).unwrap_or(place);
        let reference = place.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        reference.and_then(|path| self.0.pointer(path)).unwrap_or(place)
    }
}

/// Returns the value; a number that is written as a text as a number, where a number is wanted.
fn number_of(field: &Node<'_>, place: &Value) -> Value {
    let wants_number = place.get("type").is_some_and(|kind| kind.to_string().contains("integer"));
    match field.whole().filter(|_| wants_number && field.value().is_string()) {
        Some(number) => {
            field.change("is a number, not a text");
            json!(number)
        }
        None => field.value().clone(),
    }
}

fn find<'a>(object: &Node<'a>, name: &str) -> Option<Node<'a>> {
    object
        .get(name)
        .or_else(|| object.fields().into_iter().find(|(theirs, _)| camel(theirs) == name).map(|(_, field)| field))
}

/// `base_url` as `baseUrl`.
fn camel(name: &str) -> String {
    let mut words = name.split(['_', '-']);
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
