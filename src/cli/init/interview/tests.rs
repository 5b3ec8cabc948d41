//! Interviews with scripted answers.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::super::account::{Written, document};
use super::*;

/// Gives these answers in turn, and remembers the questions.
#[derive(Default)]
struct Script {
    answers: VecDeque<&'static str>,
    asked: Vec<String>,
}

impl Script {
    fn of(answers: &[&'static str]) -> Script {
        Script { answers: answers.iter().copied().collect(), asked: Vec::new() }
    }
}

impl Answers for Script {
    fn say(&mut self, text: &str) -> io::Result<()> {
        self.asked.push(text.to_owned());
        Ok(())
    }

    fn yes(&mut self, question: &str, usual: bool) -> io::Result<bool> {
        self.asked.push(question.to_owned());
        Ok(self.answers.pop_front().map_or(usual, |answer| if answer.is_empty() { usual } else { answer == "y" }))
    }

    fn line(&mut self, question: &str) -> io::Result<String> {
        self.asked.push(question.to_owned());
        Ok(self.answers.pop_front().unwrap_or_default().to_owned())
    }

    fn key(&mut self, question: &str) -> io::Result<Option<ApiKey>> {
        Ok(Some(self.line(question)?).filter(|typed| !typed.is_empty()).map(|typed| ApiKey::new(&typed)))
    }
}

fn variables(of: &[(&str, &str)]) -> Variables {
    of.iter().map(|(name, value)| ((*name).to_owned(), ApiKey::new(value))).collect()
}

fn wishes() -> Wishes {
    Wishes { port: 3001, ..Wishes::default() }
}

/// The entries that are going to be written, and why others are not.
fn drafted(wishes: &Wishes, of: &[(&str, &str)], script: &mut Script) -> (Vec<Value>, Vec<String>) {
    let draft = interview(wishes, &variables(of), Providers::embedded(), script).expect("a draft");
    let text = document(&serde_json::Map::new(), &draft.accounts, Written::ByName);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let left_out = draft.left_out.into_iter().map(|out| format!("{}: {}", out.variable, out.why));
    (document["apis"].as_array().expect("a list").clone(), left_out.collect())
}

#[test]
fn found_keys_become_entries_that_name_variables() {
    let of = [
        ("GROQ_API_KEY", "k-1"),
        ("GEMINI_API_KEY", "k-2"),
        ("GEMINI_API_KEY_2", "k-3"),
        ("OPENAI_API_KEY_WORK", "k-4"),
    ];
    let (entries, left_out) = drafted(&wishes(), &of, &mut Script::default());
    let wanted = json!([
        { "id": "openai-work", "provider": "openai", "apiKey": "${OPENAI_API_KEY_WORK}" },
        { "id": "gemini", "provider": "gemini", "apiKey": "${GEMINI_API_KEY}" },
        { "id": "gemini-2", "provider": "gemini", "apiKey": "${GEMINI_API_KEY_2}" },
        { "id": "groq", "provider": "groq", "apiKey": "${GROQ_API_KEY}" },
    ]);
    assert_eq!((json!(entries), left_out), (wanted, vec![]));
}

#[test]
fn keys_of_one_provider_share_limits_unless_they_are_of_different_accounts() {
    let of = [("GEMINI_API_KEY", "k-2"), ("GEMINI_API_KEY_2", "k-3")];
    let separate = Wishes { separate: true, ..wishes() };
    for (wishes, answers, group) in [
        (&wishes(), &["y", "", "n"][..], json!("gemini-2")),
        (&wishes(), &["y", "", "y"], json!(null)),
        (&separate, &[], json!("gemini-2")),
    ] {
        let (entries, _) = drafted(wishes, &of, &mut Script::of(answers));
        assert_eq!(entries[1]["quotaGroup"], group, "{answers:?}");
    }
}

#[test]
fn limits_of_a_free_plan_are_written_only_when_wished() {
    let of = [("GROQ_API_KEY", "k-1")];
    let free = Wishes { free: true, ..wishes() };
    for (wishes, answers, has_limits) in
        [(&wishes(), &["y", ""][..], false), (&wishes(), &["y", "", "y"], true), (&free, &[], true)]
    {
        let (entries, _) = drafted(wishes, &of, &mut Script::of(answers));
        assert_eq!(entries[0]["modelLimits"].is_object(), has_limits, "{answers:?}");
        assert!(entries[0].get("asOf").is_none());
    }
}

#[test]
fn a_base_url_says_where_an_account_is() {
    let base = |url: &'static str| [("OPENAI_API_KEY", "k-1"), ("OPENAI_BASE_URL", url)];
    let plain = json!([{ "id": "openai", "baseUrl": "${OPENAI_BASE_URL}", "apiKey": "${OPENAI_API_KEY}" }]);
    let preset = |id: &str| json!([{ "id": id, "provider": id, "apiKey": "${OPENAI_API_KEY}" }]);
    for (url, wanted) in [
        ("https://relay.example/v1", plain.clone()),
        ("https://api.openai.com/v1/", preset("openai")),
        ("https://api.groq.com/openai/v1", preset("groq")),
        ("http://localhost:11434/v1", preset("ollama")),
        ("http://127.0.0.1:9000/v1", plain),
        ("https://api.groq.com/openai/v1/chat/completions", preset("groq")),
    ] {
        assert_eq!(json!(drafted(&wishes(), &base(url), &mut Script::default()).0), wanted, "{url}");
    }
    for (url, why) in [("http://localhost:3001/v1", "this pool's own address"), ("nonsense", "must begin with https")] {
        let (entries, left_out) = drafted(&wishes(), &base(url), &mut Script::default());
        assert!(entries.is_empty() && left_out[0].contains(why), "{url}: {left_out:?}");
    }
    let of = [("GROQ_API_KEY", "k-1"), ("GROQ_BASE_URL", "http://127.0.0.1:9000/v1")];
    let wanted =
        json!([{ "id": "groq", "provider": "groq", "baseUrl": "${GROQ_BASE_URL}", "apiKey": "${GROQ_API_KEY}" }]);
    assert_eq!(json!(drafted(&wishes(), &of, &mut Script::default()).0), wanted);
}

#[test]
fn a_blank_of_a_base_url_is_filled_or_the_key_is_left_out() {
    let key = ("CLOUDFLARE_API_TOKEN", "k-1");
    let (entries, _) = drafted(&wishes(), &[key, ("CLOUDFLARE_ACCOUNT_ID", "abc")], &mut Script::default());
    assert_eq!(entries[0]["account"], "${CLOUDFLARE_ACCOUNT_ID}");
    let (entries, _) = drafted(&wishes(), &[key], &mut Script::of(&["y", "abc"]));
    assert_eq!(entries[0]["account"], "abc");
    let (entries, left_out) = drafted(&wishes(), &[key], &mut Script::default());
    assert!(entries.is_empty() && left_out[0].contains("CLOUDFLARE_ACCOUNT_ID"), "{left_out:?}");
    let azure = [("AZURE_OPENAI_API_KEY", "k-1"), ("AZURE_OPENAI_ENDPOINT", "https://me.openai.azure.com/")];
    assert_eq!(drafted(&wishes(), &azure, &mut Script::default()).0[0]["resource"], "me");
}

#[test]
fn a_person_may_add_accounts_by_name_or_base_url() {
    let mut script = Script::of(&["y", "gorq", "groq", "k-typed", "https://api.relay.example/v1", "", "ollama", ""]);
    let (entries, _) = drafted(&wishes(), &[("GROQ_API_KEY", "k-1")], &mut script);
    let wanted = json!([
        { "id": "groq", "provider": "groq", "apiKey": "${GROQ_API_KEY}" },
        { "id": "groq-2", "provider": "groq", "apiKey": "${GROQ_API_KEY_2}" },
        { "id": "relay", "baseUrl": "https://api.relay.example/v1", "apiKey": "none" },
        { "id": "ollama", "provider": "ollama" },
    ]);
    assert_eq!(json!(entries), wanted);
    assert!(script.asked.iter().any(|text| text.contains("Did you mean")), "{:?}", script.asked);
    assert!(!script.asked.iter().any(|text| text.contains("k-typed")));
}

#[test]
fn what_is_no_base_url_is_asked_for_again_and_an_endpoint_is_cut_off() {
    let typed =
        ["http://127.0.0.1:9/v1/chat/completions", "k-1", "https://me:secret@x.example", "https://", "groq", ""];
    let mut script = Script::of(&typed);
    let (entries, _) = drafted(&wishes(), &[], &mut script);
    let wanted = json!([{ "id": "127", "baseUrl": "http://127.0.0.1:9/v1", "apiKey": "${API_127_API_KEY}" }]);
    assert_eq!(json!(entries), wanted);
    let asked = script.asked.join("\n");
    for says in ["No account yet. Which one?", "The base URL is http", "must not hold a user", "no account of Groq"] {
        assert!(asked.contains(says), "no {says:?} in {asked}");
    }
    assert!(!asked.contains("secret"), "{asked}");
}

#[test]
fn a_wish_for_a_provider_leaves_out_all_others() {
    let of = [("GROQ_API_KEY", "k-1"), ("MOONSHOT_API_KEY", "k-2"), ("ACME_API_KEY", "k-3")];
    let only = Wishes { providers: vec!["moonshot-cn".to_owned()], ..wishes() };
    let (entries, left_out) = drafted(&only, &of, &mut Script::default());
    assert_eq!((entries[0]["provider"].as_str(), entries.len(), left_out), (Some("moonshot-cn"), 1, vec![]));
    for (name, says) in [("gorq", "did you mean groq?"), ("cohere", "there is no key in COHERE_API_KEY")] {
        let wishes = Wishes { providers: vec![name.to_owned()], ..wishes() };
        let told = interview(&wishes, &variables(&of), Providers::embedded(), &mut Script::default());
        assert!(told.as_ref().is_err_and(|e| e.to_string().contains(says)), "{name}: {told:?}");
    }
}

#[test]
fn a_variable_of_two_sites_is_noted() {
    for (variable, others) in [("MOONSHOT_API_KEY", Some("moonshot-cn")), ("GROQ_API_KEY", None)] {
        let of = variables(&[(variable, "k-1")]);
        let draft = interview(&wishes(), &of, Providers::embedded(), &mut Script::default()).expect("a draft");
        let noted = draft.notes.iter().any(|note| others.is_some_and(|other| note.contains(other)));
        assert_eq!((noted, draft.notes.len()), (others.is_some(), usize::from(others.is_some())), "{:?}", draft.notes);
    }
}
