//! The configuration's own text, without secrets; for admins to edit, with a check before.

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use maud::{Markup, html};

use crate::config::{ConfigEdit, ConfigState, EditError, GetConfig, MaskedConfig};
use crate::error::ApiError;
use crate::text::line_ends::with_ends_of;
use crate::ui::edit::{ask, config_text, said};
use crate::ui::format::time;
use crate::ui::forms::{ActionOutcome, NextPage, SentForm};
use crate::ui::notices::Notice;
use crate::ui::page::{Making, PageRequest};
use crate::ui::view::{Facts, View};

struct ConfigurationFacts {
    state: ConfigState,
    /// `None` for an update: the text is no piece.
    text: Option<Result<MaskedConfig, String>>,
    /// What an admin typed, and what is to be said of it.
    draft: Option<TextDraft>,
}

struct TextDraft {
    text: String,
    /// Of the text that the admin began with.
    seen: String,
    said: Result<String, String>,
    /// Of the present text, where somebody else has changed the text meanwhile.
    over: Option<Overwrite>,
}

/// What saving a draft over the present text would do.
struct Overwrite {
    present: String,
    diff: Result<String, String>,
}

pub(in crate::ui) fn load(asked: PageRequest) -> LocalBoxFuture<'static, Result<Box<dyn Facts>, ApiError>> {
    async move {
        let state = asked.worker.config_actor.send(GetConfig).await.map_err(|_| ApiError::Stopping)?;
        let text = match asked.making {
            Making::Whole => Some(config_text(&asked.worker).await),
            Making::Pieces => None,
        };
        Ok(Box::new(ConfigurationFacts { state, text, draft: None }) as Box<dyn Facts>)
    }
    .boxed_local()
}

/// The page of the text.
const PATH: &str = "/ui/configuration";

/// Checks a draft, and keeps it on the page.
pub(in crate::ui) fn check(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let checked = ask(&form, ConfigEdit::Replace(text_of(&form).await), true).await;
        again(&form, None, checked.map(|edited| edited.diff)).await
    }
    .boxed_local()
}

/// Puts a draft in the file's place. After a mistake the draft stays on the page: nothing that was typed is lost.
pub(in crate::ui) fn save(form: SentForm) -> LocalBoxFuture<'static, ActionOutcome> {
    async move {
        let form = seen_over(form);
        let edit = ConfigEdit::Replace(text_of(&form).await);
        let what = edit.to_string();
        match ask(&form, edit, false).await {
            Ok(edited) => {
                let hash = edited.hash.get(..8).unwrap_or(&edited.hash);
                ActionOutcome::good(what, form.language.filled("settings.saved", &[("hash", hash)]), PATH)
            }
            Err(why) => again(&form, Some(what), Err(why)).await,
        }
    }
    .boxed_local()
}

/// Returns the form of who has seen the present text, where the button says so.
fn seen_over(mut form: SentForm) -> SentForm {
    if let Some(present) = form.field("over").map(str::to_owned) {
        form.fields.retain(|(name, _)| name != "seen");
        form.fields.push(("seen".to_owned(), present));
    }
    form
}

/// Returns the typed text, with LF.
fn typed_text(form: &SentForm) -> String {
    let typed = form.fields.iter().find(|(name, _)| name == "text").map_or("", |(_, value)| value);
    typed.replace("\r\n", "\n")
}

/// Returns the typed text with the file's own ends of lines. Browsers end the lines of a form with CR LF, whatever the file has.
async fn text_of(form: &SentForm) -> String {
    let typed = typed_text(form);
    config_text(&form.worker).await.map(|file| with_ends_of(&file.text, &typed)).unwrap_or(typed)
}

/// Asks what a draft would change of the present text.
async fn overwrite(form: &SentForm, present: String) -> Overwrite {
    let mut form = form.clone();
    form.fields.push(("over".to_owned(), present.clone()));
    let form = seen_over(form);
    let edit = ConfigEdit::Replace(text_of(&form).await);
    let diff = ask(&form, edit, true).await.map(|edited| edited.diff).map_err(|why| said(&why, &form));
    Overwrite { present, diff }
}

/// Shows the page again, with the draft.
async fn again(form: &SentForm, what: Option<String>, came: Result<String, EditError>) -> ActionOutcome {
    let notice = Notice { is_good: came.is_ok(), text: String::new(), secret: None, link: None };
    let seen = form.field("seen").unwrap_or_default().to_owned();
    let text = config_text(&form.worker).await;
    let over = match (&came, &text) {
        (Err(EditError::Changed), Ok(text)) => Some(overwrite(form, text.hash.to_string()).await),
        (Ok(_) | Err(_), _) => None,
    };
    let said = came.map_err(|why| said(&why, form));
    let next = match form.worker.config_actor.send(GetConfig).await {
        Ok(state) => {
            let draft = Some(TextDraft { text: typed_text(form), seen, said, over });
            NextPage::Again(Box::new(ConfigurationFacts { state, text: Some(text), draft }))
        }
        Err(_) => NextPage::At(PATH.to_owned()),
    };
    ActionOutcome { notice, what, detail: None, next }
}

impl Facts for ConfigurationFacts {
    fn render(&self, view: &View) -> Markup {
        html! {
            (view.piece("in-force", "panel", self.in_force(view)))
            @match &self.text {
                None => {},
                Some(Err(why)) => p class="problem" { (why) },
                Some(Ok(text)) => (self.text(text, view)),
            }
        }
    }
}

impl ConfigurationFacts {
    fn in_force(&self, view: &View) -> Markup {
        let config = &self.state.config;
        html! {
            p { (view.t("system.config_of")) " " (time(self.state.loaded_at)) ", " code { (config.hash) } }
            @if let Some(why) = &self.state.last_error { pre class="problem" { (why) } }
            @if !config.warnings.is_empty() {
                h2 { (view.t("configuration.warnings")) }
                ul { @for warning in &config.warnings { li { (warning) } } }
            }
        }
    }

    fn text(&self, text: &MaskedConfig, view: &View) -> Markup {
        let (shown, seen) = match &self.draft {
            Some(draft) => (draft.text.as_str(), draft.seen.clone()),
            None => (text.text.as_str(), text.hash.to_string()),
        };
        if !view.visitor.is_admin() {
            return html! { pre class="scroll" tabindex="0" { (shown) } };
        }
        html! {
            @if let Some(why) = &text.read_only { p class="problem" { (view.t("edit.read_only")) " " (why) } }
            @match self.draft.as_ref().map(|draft| &draft.said) {
                None => {},
                Some(Err(why)) => pre class="problem" role="alert" { (why) },
                Some(Ok(diff)) if diff.is_empty() => p role="status" { (view.t("configuration.same")) },
                Some(Ok(diff)) => { p role="status" { (view.t("configuration.good")) } (lines(diff)) },
            }
            @let over = self.draft.as_ref().and_then(|draft| draft.over.as_ref());
            @match over.map(|over| &over.diff) {
                None => {},
                Some(Err(why)) => pre class="problem" { (why) },
                Some(Ok(diff)) => { p { (view.t("configuration.over")) } (lines(diff)) },
            }
            form method="post" action="/ui/configuration/save" class="stacked wide" {
                (view.token_field())
                input type="hidden" name="seen" value=(seen);
                label for="text" { (view.t("configuration.text")) }
                textarea id="text" name="text" rows="28" spellcheck="false" autocomplete="off" { "\n" (shown) }
                div class="row" {
                    button type="submit" formaction="/ui/configuration/check" { (view.t("configuration.check")) }
                    // What is saved of a text of before is refused: saving then means saving over the present text.
                    @match over {
                        None => button type="submit" class="main" { (view.t("configuration.save")) },
                        Some(over) => {
                            button type="submit" class="main" name="over" value=(over.present) {
                                (view.t("configuration.save_over"))
                            }
                            a href=(PATH) { (view.t("configuration.present")) }
                        }
                    }
                }
            }
        }
    }
}

/// Makes a diff, with colours.
fn lines(diff: &str) -> Markup {
    html! {
        pre class="diff" tabindex="0" {
            @for line in diff.lines() {
                @let class = match line.as_bytes().first() { Some(b'+') => "add", Some(b'-') => "del", _ => "same" };
                span class=(class) { (line) "\n" }
            }
        }
    }
}
