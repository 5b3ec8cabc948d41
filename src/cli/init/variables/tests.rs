//! Which variables are found, and why others are not.

use super::*;
use crate::config::Providers;

fn variables(of: &[(&str, &str)]) -> Variables {
    of.iter().map(|(name, value)| ((*name).to_owned(), ApiKey::new(value))).collect()
}

/// The keys as `provider label variable base-url-variable`, and the variables that are left out.
fn found(of: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let providers: Vec<&Provider> = Providers::embedded().list().iter().collect();
    let (found, left_out) = find(&variables(of), &providers);
    let shown = |key: &FoundKey<'_>| {
        let base = key.base_url.as_ref().map(|(variable, _)| format!(" {variable}")).unwrap_or_default();
        format!("{} {} {}{base}", key.name, key.label, key.variable)
    };
    let left_out = left_out.into_iter().map(|out| format!("{} {}", out.variable, out.why)).collect();
    (found.iter().map(shown).collect(), left_out)
}

#[test]
fn keys_are_found_by_the_providers_variables_with_numbers_and_words() {
    for (name, shown) in [
        ("GROQ_API_KEY", "groq  GROQ_API_KEY"),
        ("GROQ_API_KEY_2", "groq 2 GROQ_API_KEY_2"),
        ("GROQ_API_KEY2", "groq 2 GROQ_API_KEY2"),
        ("GROQ_API_KEY_WORK", "groq work GROQ_API_KEY_WORK"),
        ("GROQ_API_KEY_my_team", "groq my-team GROQ_API_KEY_my_team"),
        ("OPENAI_KEY_1", "openai 1 OPENAI_KEY_1"),
        ("OPENROUTER_KEY", "openrouter  OPENROUTER_KEY"),
        ("GOOGLE_API_KEY", "gemini  GOOGLE_API_KEY"),
        ("AZURE_OPENAI_API_KEY", "azure  AZURE_OPENAI_API_KEY"),
        ("CLOUDFLARE_API_TOKEN", "cloudflare  CLOUDFLARE_API_TOKEN"),
        ("HF_TOKEN", "huggingface  HF_TOKEN"),
        ("MOONSHOT_API_KEY", "moonshot  MOONSHOT_API_KEY"),
    ] {
        assert_eq!(found(&[(name, "k-4f9Qm2Zk7w")]), (vec![shown.to_owned()], vec![]), "{name}");
    }
    for name in ["GROQ_API_KEY_FILE", "OPENAI_BASE_URL", "OPENAI_API_KEY_ID", "KEY", "GROQ", "API_TOGETHER_KEY"] {
        assert_eq!(found(&[(name, "k-4f9Qm2Zk7w")]), (vec![], vec![]), "{name}");
    }
}

#[test]
fn what_is_left_out_has_a_reason_and_several_keys_in_one_variable_get_one_each() {
    let (keys, left_out) = found(&[
        ("GROQ_API_KEYS", "k-one-4f9, k-two-4f9 ,"),
        ("GEMINI_API_KEY", "your_api_key_here"),
        ("GOOGLE_API_KEY", "k-one-4f9"),
        ("MISTRAL_API_KEY", " "),
        ("COHERE_API_KEY", "a b"),
        ("ACME_API_KEY", "k"),
    ]);
    assert_eq!(keys, ["gemini  GOOGLE_API_KEY", "groq 2 GROQ_API_KEY_2"].map(str::to_owned));
    assert_eq!(left_out.len(), 4, "{left_out:?}");
}

#[test]
fn keys_of_one_variable_that_init_has_given_variables_of_their_own_get_no_others() {
    let (keys, left_out) =
        found(&[("GROQ_API_KEYS", "k-1,k-2,k-3"), ("GROQ_API_KEY_1", "k-1"), ("GROQ_API_KEY_2", "k-2")]);
    let wanted = ["groq 1 GROQ_API_KEY_1", "groq 2 GROQ_API_KEY_2", "groq 3 GROQ_API_KEY_3"];
    assert_eq!(keys, wanted);
    assert_eq!(left_out, ["GROQ_API_KEYS holds the same key as another variable"; 2]);
}

#[test]
fn a_key_of_nobody_known_is_at_the_base_url_beside() {
    let url = |name| (name, "https://relay.example/v1");
    for (of, shown) in [
        ([url("MYRELAY_BASE_URL"), ("MYRELAY_API_KEY", "k-1")], "myrelay  MYRELAY_API_KEY MYRELAY_BASE_URL"),
        ([url("MY_RELAY_BASE"), ("MY_RELAY_TOKEN", "k-1")], "my-relay  MY_RELAY_TOKEN MY_RELAY_BASE"),
        ([url("MYRELAY_API_BASE"), ("MYRELAY_KEY_2", "k-1")], "myrelay 2 MYRELAY_KEY_2 MYRELAY_API_BASE"),
    ] {
        assert_eq!(found(&of), (vec![shown.to_owned()], vec![]));
    }
    assert_eq!(found(&[url("OTHER_BASE_URL"), ("EDITOR_KEY", "k-1")]), (vec![], vec![]));
}

#[test]
fn the_name_of_another_variable_is_no_key() {
    for value in ["$GROQ_KEY", "$OPENAI_API_KEY", "${GROQ_KEY}", "%GROQ_KEY%", "os.environ/GROQ_KEY"] {
        let (keys, left_out) = found(&[("GROQ_API_KEY", value)]);
        let why = "GROQ_API_KEY holds the name of another variable, which nothing puts in".to_owned();
        assert_eq!((keys, left_out), (vec![], vec![why]), "{value}");
    }
}

#[test]
fn a_base_url_beside_a_key_is_the_keys_own_or_that_of_all() {
    let url = ("OPENAI_BASE_URL", "https://x.example/v1");
    let (keys, _) =
        found(&[url, ("OPENAI_API_KEY", "k-1"), ("OPENAI_API_KEY_2", "k-2"), ("OPENAI_BASE_URL_2", "https://y")]);
    assert_eq!(keys, ["openai  OPENAI_API_KEY OPENAI_BASE_URL", "openai 2 OPENAI_API_KEY_2 OPENAI_BASE_URL_2"]);
    let (keys, _) = found(&[("OPENAI_API_BASE", "https://x"), ("OPENAI_API_KEY_2", "k-2")]);
    assert_eq!(keys, ["openai 2 OPENAI_API_KEY_2 OPENAI_API_BASE"]);
}

#[test]
fn a_new_variable_takes_no_name_that_is_there() {
    let there = variables(&[("GROQ_API_KEY", ""), ("GROQ_API_KEY_2", "k")]);
    assert_eq!(free_name("GROQ_API_KEY", &there), "GROQ_API_KEY_3");
    assert_eq!(free_name("COHERE_API_KEY", &there), "COHERE_API_KEY");
}
