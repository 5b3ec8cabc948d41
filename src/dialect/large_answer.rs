//! An answer beyond the bound of memory. All bytes pass on arrival; head and tail are searched for the usage.

use super::billed::ImageCount;
use super::gemini::find_last_usage;
use super::reply_kind::ReplyKind;
use super::routes::Route;
use super::usage::{EstimatedUsage, ReportedUsage};
use crate::types::{BilledUnit, Usage, tokens_of_text};

/// The bytes of the head to search, and of the tail to keep. A usage takes some hundreds.
const SEARCHED: usize = 64 << 10;

/// Follows one JSON answer without holding it.
#[derive(Debug)]
pub(crate) struct LargeAnswer {
    kind: ReplyKind,
    head: ReportedUsage,
    /// The last bytes, at least `SEARCHED` and at most twice as many.
    tail: Vec<u8>,
    bytes: usize,
    /// Where images are billed.
    images: Option<ImageCount>,
}

impl LargeAnswer {
    /// Begins with the first part of the answer.
    pub(crate) fn new(route: &Route, head: &[u8]) -> Self {
        let searched = head.get(..SEARCHED).unwrap_or(head);
        let mut answer = LargeAnswer {
            kind: route.reply,
            head: find_last(searched),
            tail: Vec::new(),
            bytes: 0,
            images: (route.billed == Some(BilledUnit::Image)).then(ImageCount::default),
        };
        answer.feed(head);
        answer
    }

    pub(crate) fn feed(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len();
        if let Some(images) = &mut self.images {
            images.feed(chunk);
        }
        let kept = chunk.get(chunk.len().saturating_sub(SEARCHED)..).unwrap_or_default();
        if self.tail.len() + kept.len() > 2 * SEARCHED {
            self.tail.drain(..self.tail.len().saturating_sub(SEARCHED));
        }
        self.tail.extend_from_slice(kept);
    }

    /// Returns whether the answer ends as JSON does.
    pub(crate) fn is_whole(&self) -> bool {
        self.tail.trim_ascii_end().ends_with(b"}")
    }

    /// Returns what the answer cost, if a usage was found or text was generated.
    pub(crate) fn usage(&self, prompt_bytes: usize) -> Option<Usage> {
        let mut usage = self.head;
        usage.update(find_last(&self.tail));
        let completion = if self.kind.generates_text() { tokens_of_text(self.bytes) } else { 0 };
        let is_known = !usage.is_empty() || self.kind.generates_text();
        let usage = is_known.then(|| usage.completed(EstimatedUsage::new(prompt_bytes, completion)));
        Usage::and_billed(usage, self.images.as_ref().map(ImageCount::billed).unwrap_or_default())
    }
}

/// Returns the last usage that a part of an answer reports.
fn find_last(part: &[u8]) -> ReportedUsage {
    let usage = ReportedUsage::find_last(part);
    if usage.is_empty() { find_last_usage(part) } else { usage }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::routes::any;
    use crate::types::UsageSource;

    fn fed(kind: ReplyKind, text: &str, piece: usize) -> LargeAnswer {
        let (head, rest) = text.as_bytes().split_at(piece.min(text.len()));
        let mut answer = LargeAnswer::new(any(kind), head);
        rest.chunks(piece).for_each(|chunk| answer.feed(chunk));
        answer
    }

    #[test]
    fn a_usage_is_found_in_the_head_and_in_the_tail_and_memory_is_bounded() {
        let vectors = format!("\"data\":[{}0]", "0.1234,".repeat(200_000));
        let usage = r#""usage":{"prompt_tokens":50000,"total_tokens":50000}"#;
        for text in [format!("{{{usage},{vectors}}}"), format!("{{{vectors},{usage}}} \n")] {
            for piece in [1_000, 65_000, 700_000] {
                let answer = fed(ReplyKind::Json, &text, piece);
                let usage = answer.usage(8).expect("found");
                assert_eq!((usage.total, usage.source), (50_000, UsageSource::Reported), "pieces of {piece}");
                assert!(answer.is_whole() && answer.tail.capacity() <= 4 * SEARCHED, "pieces of {piece}");
            }
        }
        let geminis = format!(r#"{{{vectors},"usageMetadata":{{"promptTokenCount":7,"candidatesTokenCount":9}}}}"#);
        assert_eq!(fed(ReplyKind::Generation, &geminis, 65_000).usage(8).expect("found").total, 16);
        assert!(!fed(ReplyKind::Json, &vectors, 1_000).is_whole());
        assert_eq!(fed(ReplyKind::Json, &vectors, 1_000).usage(8), None);
        let text = fed(ReplyKind::Chat, &vectors, 1_000).usage(8).expect("estimated");
        assert_eq!((text.prompt, text.source), (2, UsageSource::Estimated));
        assert!(text.completion > 300_000);
    }
}
