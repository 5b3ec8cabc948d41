//! Edits by way of the actor: one at a time, judged by the loader, in force at once.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Map, Value, json};

use super::*;
use crate::config::{ConfigEdit, Overrides, TextHash};
use crate::mailbox::LaunchActor;

const TEXT: &str = "{\n  \"server\": { \"apiKey\": \"client-key-1\" },\n  \"apis\": [\n    { \"id\": \"a\", \"baseUrl\": \"http://127.0.0.1:1\", \"apiKey\": \"sk-secret-0123456789\", \"rpm\": 5 }\n  ]\n}\n";

struct Pool {
    folder: PathBuf,
    path: PathBuf,
    actor: Addr<ConfigActor>,
}

impl Pool {
    fn start() -> Pool {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("api-together-edits-{}-{nth}", std::process::id()));
        fs::create_dir_all(&folder).expect("creates");
        let path = folder.join("apis.json");
        fs::write(&path, TEXT).expect("writes");
        let source = ConfigSource { path: path.clone(), overrides: Overrides::default() };
        let config = Arc::new(load(&source).expect("loads"));
        Pool { folder, path, actor: ConfigActor::new(source, config).launch() }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).expect("reads")
    }

    async fn shown(&self) -> MaskedConfig {
        self.actor.send(GetConfigText).await.expect("lives").expect("a text")
    }

    async fn edit(&self, edit: ConfigEdit, seen: &TextHash) -> Result<EditedConfig, EditError> {
        let message = EditConfig { edit, seen: seen.clone(), dry_run: false, by: "ops".to_owned() };
        self.actor.send(message).await.expect("lives")
    }

    async fn state(&self) -> ConfigState {
        self.actor.send(GetConfig).await.expect("lives")
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn set(field: &str, value: Value) -> ConfigEdit {
    ConfigEdit::SetApi { id: "a".to_owned(), fields: Map::from_iter([(field.to_owned(), value)]) }
}

#[test]
fn of_two_edits_of_one_text_the_second_is_refused() {
    System::new().block_on(async {
        let pool = Pool::start();
        let seen = pool.shown().await.hash;
        let both = (pool.edit(set("weight", json!(2)), &seen), pool.edit(set("weight", json!(3)), &seen));
        let (one, other) = futures_util::future::join(both.0, both.1).await;
        let done = one.expect("the first");
        assert!(matches!(other, Err(EditError::Changed)), "{other:?}");
        assert_eq!(pool.text(), TEXT.replace("\"rpm\": 5", "\"rpm\": 5, \"weight\": 2"));
        let state = pool.state().await;
        assert_eq!((&state.config.hash, state.config.apis[0].weight), (&done.hash, 2));
        assert_eq!((done.old_text_hash, &done.new_text_hash), (seen.clone(), &pool.shown().await.hash));
        assert!(
            done.diff.contains("\n+    { \"id\": \"a\", ") && done.diff.contains("\"weight\": 2 }"),
            "{}",
            done.diff
        );
        assert!(!done.diff.contains("secret") && !done.diff.contains("client-key"), "{}", done.diff);
        // The file's own reload finds nothing new.
        pool.actor.send(Reload { forced: false }).await.expect("lives");
        assert_eq!(pool.state().await.loaded_at, state.loaded_at);
        assert_eq!(fs::read_dir(&pool.folder).expect("reads").count(), 1, "nothing is left beside");
    });
}

#[test]
fn an_edit_with_a_mistake_changes_nothing() {
    System::new().block_on(async {
        let pool = Pool::start();
        let seen = pool.shown().await.hash;
        for (edit, says) in [
            (set("rpm", json!("x")), "apis[0].rpm: must be a whole number, is a string"),
            (
                set("apiKey", json!("${NOBODY_SETS_THIS}")),
                "apis[0].apiKey: the environment variable NOBODY_SETS_THIS is not set",
            ),
            (ConfigEdit::RemoveApi("a".to_owned()), "apis: is missing"),
            (ConfigEdit::RemoveApi("b".to_owned()), "apis: has no entry with this id"),
            (
                ConfigEdit::Replace("{\"apis\": [],}".to_owned()),
                "line 1, column 13: not valid JSON: a comma stands before",
            ),
            (
                ConfigEdit::Replace("{\"apis\": [{\"id\": \"x\", \"apiKey\": \"[masked 2: sk-…6789]\"}]}".to_owned()),
                "apis[0].apiKey: has a masked value",
            ),
        ] {
            let told = pool.edit(edit, &seen).await.expect_err("refused").to_string();
            assert!(told.contains(says), "{told}");
        }
        assert_eq!(pool.text(), TEXT);
        let state = pool.state().await;
        assert_eq!((state.config.apis[0].key.expose(), state.last_error), ("sk-secret-0123456789", None));
    });
}

#[test]
fn a_masked_text_is_saved_with_the_values() {
    System::new().block_on(async {
        let pool = Pool::start();
        let shown = pool.shown().await;
        assert!(
            shown.text.contains("\"[masked 1]\"") && shown.text.contains("\"[masked 2: sk-…6789]\""),
            "{}",
            shown.text
        );
        let dry = EditConfig {
            edit: ConfigEdit::Replace(shown.text.replace("\"rpm\": 5", "\"rpm\": 6")),
            seen: shown.hash.clone(),
            dry_run: true,
            by: "ops".to_owned(),
        };
        let would = pool.actor.send(dry).await.expect("lives").expect("could be done");
        assert_eq!(
            (pool.text().as_str(), pool.state().await.config.apis[0].quota.limits.rpm.bound() == Some(5)),
            (TEXT, true)
        );
        let edit = ConfigEdit::Replace(shown.text.replace("\"rpm\": 5", "\"rpm\": 6"));
        assert_eq!(pool.edit(edit, &shown.hash).await.expect("done"), would);
        assert_eq!(pool.text(), TEXT.replace("\"rpm\": 5", "\"rpm\": 6"));
    });
}

#[test]
fn a_text_of_a_broken_file_is_not_shown_and_can_be_replaced() {
    System::new().block_on(async {
        let pool = Pool::start();
        let broken = TEXT.replace("\"rpm\"", "'rpm'");
        fs::write(&pool.path, &broken).expect("writes");
        pool.actor.send(Reload { forced: true }).await.expect("lives");
        let told = pool.actor.send(GetConfigText).await.expect("lives").expect_err("no JSON").to_string();
        assert!(told.contains("line 4") && !told.contains("secret"), "{told}");
        assert!(pool.state().await.last_error.is_some());
        let done = pool.edit(ConfigEdit::Replace(TEXT.to_owned()), &TextHash::of(&broken)).await.expect("done");
        assert!(!done.diff.contains("secret"), "{}", done.diff);
        assert_eq!((pool.text().as_str(), pool.state().await.last_error), (TEXT, None));
    });
}

#[cfg(unix)]
#[test]
fn a_file_of_a_config_map_is_not_written_and_the_difference_is_told() {
    use std::os::unix::fs::symlink;

    System::new().block_on(async {
        let pool = Pool::start();
        let version = pool.folder.join("..2026_11_28_15_00_00.1");
        fs::create_dir(&version).expect("creates");
        fs::rename(&pool.path, version.join("apis.json")).expect("moves");
        symlink(&version, pool.folder.join("..data")).expect("links");
        symlink("..data/apis.json", &pool.path).expect("links");
        let shown = pool.shown().await;
        assert!(shown.read_only.is_some_and(|why| why.contains("ConfigMap")));
        let told = pool.edit(set("rpm", json!(6)), &shown.hash).await.expect_err("refused");
        let EditError::ReadOnly { why, diff } = told else { panic!("{told:?}") };
        assert!(
            why.contains("ConfigMap") && diff.contains("\"rpm\": 6 }") && !diff.contains("secret"),
            "{why}\n{diff}"
        );
        assert_eq!((pool.text().as_str(), pool.state().await.config.apis[0].quota.limits.rpm.bound()), (TEXT, Some(5)));
    });
}
