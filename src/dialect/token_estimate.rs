//! What a request may cost in tokens, as far as its body tells.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::reply_kind::ReplyKind;
use super::scanned_body::ScannedBody;
use crate::types::{BilledUnits, TokenEstimate, tokens_of_text};

/// The bounds of an answer's tokens, as typed. The upstream judges their meaning: an unreadable field bounds
/// nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CompletionBounds<'a> {
    /// Of chat, of its older form, and of responses.
    pub(crate) tokens: [&'a str; 3],
    /// How many answers are wanted.
    pub(crate) n: &'a str,
}

/// Estimates what a request with this body may cost. Images and files cost tokens by their size in pixels, not in bytes.
pub(crate) fn estimate(kind: ReplyKind, body: ScannedBody<'_>, bounds: CompletionBounds<'_>) -> TokenEstimate {
    let answers = number(bounds.n).unwrap_or(1).max(1);
    let bound = bounds.tokens.into_iter().find_map(number).map(|bound| bound.saturating_mul(answers));
    let prompt = tokens_of_text(body.read_len());
    let tokens =
        |prompt, completion, longest| TokenEstimate { prompt, completion, longest, billed: BilledUnits::default() };
    match kind {
        // Each message must have a bound. Clients set the largest one, and providers count what is generated.
        ReplyKind::Messages => tokens(prompt, None, bound),
        // Clients set the largest one here, too.
        ReplyKind::Generation => tokens(tokens_of_text(body.text().len() - inline(body.text())), None, bound),
        ReplyKind::Chat | ReplyKind::Completion | ReplyKind::Responses => tokens(prompt, bound, None),
        ReplyKind::Object | ReplyKind::File => tokens(0, Some(0), None),
        ReplyKind::Json | ReplyKind::Bytes | ReplyKind::Transcript => tokens(prompt, Some(0), None),
    }
}

fn number(typed: &str) -> Option<u64> {
    typed.parse().ok()
}

/// Stands before an image's or a file's bytes in Gemini's format.
static DATA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"data\""));

/// Counts the bytes of images and files in Gemini's format: members `data` with base64 and nothing else.
fn inline(text: &str) -> usize {
    let (mut rest, mut bytes) = (text.as_bytes(), 0);
    while let Some(behind) = DATA.find(rest).and_then(|at| rest.get(at + DATA.needle().len()..)) {
        rest = behind;
        let value = behind.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        let Some(data) = value.and_then(|value| value.strip_prefix(b"\"")) else { continue };
        let end = memchr::memchr(b'"', data).unwrap_or(data.len());
        let (data, behind) = data.split_at(end);
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
        if data.iter().all(is_base64) {
            bytes += data.len();
        }
        rest = behind;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::CountedTokens;

    fn estimate(kind: ReplyKind, body: &str, bounds: CompletionBounds<'_>) -> TokenEstimate {
        super::estimate(kind, ScannedBody::new(body), bounds)
    }

    const NONE: CompletionBounds<'static> = CompletionBounds { tokens: ["null"; 3], n: "null" };

    fn chat(tokens: [&str; 3], n: &str) -> Option<u64> {
        estimate(ReplyKind::Chat, "{}", CompletionBounds { tokens, n }).completion
    }

    #[test]
    fn a_request_is_estimated_by_its_length_and_by_its_bounds() {
        assert_eq!(estimate(ReplyKind::Chat, &"x".repeat(4_000), NONE).prompt, 1_000);
        assert_eq!(chat(["null"; 3], "null"), None);
        assert_eq!(chat(["null", "70", "null"], "null"), Some(70));
        assert_eq!(chat(["30", "70", "null"], "3"), Some(90));
        assert_eq!(chat(["null", "null", "5"], "0"), Some(5));
        for odd in ["\"many\"", "-1", "1.5", "[]"] {
            assert_eq!(chat([odd, "null", "null"], odd), None, "{odd}");
        }
        assert_eq!(estimate(ReplyKind::Json, "{}", NONE).completion, Some(0));
        // The bound of a message says nothing of the likely length.
        let message = |bound| {
            estimate(ReplyKind::Messages, "{}", CompletionBounds { tokens: ["null", bound, "null"], n: "null" })
        };
        assert_eq!(
            [message("64000"), message("70"), message("null")].map(|estimate| estimate.tokens(500, CountedTokens::ALL)),
            [501, 71, 501]
        );
    }

    #[test]
    fn a_generation_is_estimated_without_its_inline_data() {
        let data = "A".repeat(100_000);
        let parts =
            format!(r#"{{"inlineData":{{"mimeType":"image/png","data" : "{data}"}}}},{{"data":"not base64!"}}"#);
        let found =
            estimate(ReplyKind::Generation, &parts, CompletionBounds { tokens: ["70", "null", "null"], n: "2" });
        assert!(found.prompt < 40);
        assert_eq!((found.completion, found.longest), (None, Some(140)));
        assert!(estimate(ReplyKind::Generation, &"\"data\"".repeat(99), NONE).prompt > 100);
    }

    #[test]
    fn images_are_not_counted_by_their_bytes() {
        let image = format!(r#"{{"url":"data:image/png;base64,{}"}}"#, "A".repeat(100_000));
        assert!(estimate(ReplyKind::Chat, &[&*image, &*image].concat(), NONE).prompt < 40);
        assert!(estimate(ReplyKind::Chat, &";base64,".repeat(99), NONE).prompt < 10);
    }
}
