//! What a request may cost in tokens, as far as its body tells. Pure.

use crate::types::{Demand, Operation, tokens_of_text};

/// What the request of this `body` may cost. `bounds` are its fields that bound the answer's tokens (of chat, of its older
/// form, and of responses), `n` how many answers it wants, all as typed. What they mean is the upstream's to judge: one
/// that can't be read is none.
pub(super) fn demand(operation: Operation, body: &str, bounds: [&str; 3], n: &str) -> Demand {
    let number = |typed: &str| typed.parse::<u64>().ok();
    let completion = match operation.generates_text() {
        true => bounds.into_iter().find_map(number).map(|bound| bound.saturating_mul(number(n).unwrap_or(1).max(1))),
        false => Some(0),
    };
    Demand { prompt: tokens_of_text(body.len() - attached(body)), completion }
}

/// Bytes of images and files that stand in a body: they cost tokens by their size in pixels, not in bytes.
fn attached(text: &str) -> usize {
    const MARK: &[u8] = b";base64,";
    let (mut rest, mut bytes) = (text.as_bytes(), 0);
    while let Some(data) = memchr::memmem::find(rest, MARK).and_then(|at| rest.get(at + MARK.len()..)) {
        let end = memchr::memchr(b'"', data).unwrap_or(data.len());
        bytes += end;
        rest = data.get(end..).unwrap_or_default();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &str = "null";

    fn chat(bounds: [&str; 3], n: &str) -> Option<u64> {
        demand(Operation::ChatCompletions, "{}", bounds, n).completion
    }

    #[test]
    fn what_a_request_may_cost_is_seen_before_it_is_sent() {
        assert_eq!(demand(Operation::ChatCompletions, &"x".repeat(4_000), [NONE; 3], NONE).prompt, 1_000);
        assert_eq!(chat([NONE; 3], NONE), None);
        assert_eq!(chat([NONE, "70", NONE], NONE), Some(70));
        assert_eq!(chat(["30", "70", NONE], "3"), Some(90));
        assert_eq!(chat([NONE, NONE, "5"], "0"), Some(5));
        for odd in ["\"many\"", "-1", "1.5", "[]"] {
            assert_eq!(chat([odd, NONE, NONE], odd), None, "{odd}");
        }
        assert_eq!(demand(Operation::Embeddings, "{}", [NONE; 3], NONE).completion, Some(0));
    }

    #[test]
    fn images_are_not_counted_by_their_bytes() {
        let image = format!(r#"{{"url":"data:image/png;base64,{}"}}"#, "A".repeat(100_000));
        assert!(demand(Operation::ChatCompletions, &[&*image, &*image].concat(), [NONE; 3], NONE).prompt < 40);
        assert!(demand(Operation::ChatCompletions, &";base64,".repeat(99), [NONE; 3], NONE).prompt < 10);
    }
}
