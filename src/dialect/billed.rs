//! What an exchange is billed by beside tokens, by the evidence in the answer or in the request.
//!
//! 1. The row of the route names the unit. Chats, messages and responses name searches in their usage or among their items.
//! 2. What the answer says counts. What can't be read in the answer counts as the request asked.
//! 3. Where neither says anything, nothing counts. Nothing is guessed.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::json_text::plain_text;
use super::usage::count;
use crate::types::{BilledUnit, BilledUnits};

/// The types of events that show a whole image.
const FINISHED_IMAGES: [&str; 2] = ["image_generation.completed", "image_edit.completed"];

/// Stands in the items of a response that searched.
static SEARCH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"web_search_call\""));

/// Stands before each image of an answer. No text and no image in base64 can hold the word with these quotes.
static IMAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"b64_json\""));

/// The members of an answer, or of an event's data, that name units.
#[derive(Default, Deserialize)]
#[serde(default)]
struct BilledFields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    images: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    duration: Option<&'a RawValue>,
    #[serde(borrow)]
    usage_info: Option<&'a RawValue>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

/// The members within, each of one provider's report.
#[derive(Default, Deserialize)]
#[serde(default)]
struct InnerFields<'a> {
    #[serde(borrow)]
    seconds: Option<&'a RawValue>,
    #[serde(borrow)]
    pages_processed: Option<&'a RawValue>,
    #[serde(borrow)]
    billed_units: Option<&'a RawValue>,
    #[serde(borrow)]
    search_units: Option<&'a RawValue>,
    #[serde(borrow)]
    web_search_requests: Option<&'a RawValue>,
}

/// An item of a response.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputItem<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    action: Option<&'a RawValue>,
}

/// Returns how many of a unit one object of an answer names: the whole answer, or the data of an event.
pub(crate) fn billed_in(unit: BilledUnit, json: &[u8]) -> u32 {
    let Ok(fields) = serde_json::from_slice::<BilledFields<'_>>(json) else { return 0 };
    let named = match unit {
        BilledUnit::Image if FINISHED_IMAGES.contains(&plain_text(fields.kind)) => Some(1),
        BilledUnit::Image => fields.data.or(fields.images).map(entries),
        BilledUnit::AudioSecond => count(inner(fields.usage).seconds).or_else(|| count(fields.duration)),
        BilledUnit::Page => count(inner(fields.usage_info).pages_processed),
        BilledUnit::Search => count(inner(inner(fields.meta).billed_units).search_units),
        BilledUnit::Character => None,
    };
    units(named)
}

/// Returns the units that a request asks for. `n`: how many answers are wanted; `input`: the text to speak.
pub(crate) fn billed_by_request(unit: Option<BilledUnit>, n: &str, input: &RawValue) -> BilledUnits {
    let Some(unit) = unit else { return BilledUnits::default() };
    let number = match unit {
        BilledUnit::Image => n.parse::<u32>().unwrap_or(1).max(1),
        BilledUnit::Character => units(serde_json::from_str::<String>(input.get()).ok().map(|text| characters(&text))),
        // A ranking is one search at least. Seconds and pages stand in files.
        BilledUnit::Search => 1,
        BilledUnit::AudioSecond | BilledUnit::Page => 0,
    };
    BilledUnits::of(unit, number)
}

/// Returns so many searches.
pub(super) fn searches(number: u64) -> BilledUnits {
    BilledUnits::of(BilledUnit::Search, units(Some(number)))
}

/// Returns the searches that a member `server_tool_use` of a usage names.
pub(super) fn searches_of_tools(tools: Option<&RawValue>) -> BilledUnits {
    // Most usages have no such member.
    if tools.is_none() {
        return BilledUnits::default();
    }
    searches(count(inner(tools).web_search_requests).unwrap_or_default())
}

/// Returns the searches among the items of a response. Pages that were only opened are none.
pub(super) fn searches_of_items(output: Option<&RawValue>) -> BilledUnits {
    let Some(output) = output.filter(|output| SEARCH.find(output.get().as_bytes()).is_some()) else {
        return BilledUnits::default();
    };
    let items: Vec<&RawValue> = serde_json::from_str(output.get()).unwrap_or_default();
    let is_search = |item: &&&RawValue| {
        let item = serde_json::from_str::<OutputItem<'_>>(item.get()).unwrap_or_default();
        let action = item.action.and_then(|action| serde_json::from_str::<OutputItem<'_>>(action.get()).ok());
        let action = action.unwrap_or_default();
        plain_text(item.kind) == "web_search_call" && ["", "search"].contains(&plain_text(action.kind))
    };
    searches(items.iter().filter(is_search).count() as u64)
}

/// Counts the images in an answer that is too large to keep.
#[derive(Debug, Default)]
pub(crate) struct ImageCount {
    images: u32,
    /// The last bytes, fewer than the word has.
    carry: Vec<u8>,
}

impl ImageCount {
    pub(crate) fn feed(&mut self, chunk: &[u8]) {
        let most = IMAGE.needle().len() - 1;
        let mut border = std::mem::take(&mut self.carry);
        let carried = border.len();
        border.extend_from_slice(chunk.get(..most).unwrap_or(chunk));
        let across = IMAGE.find_iter(&border).filter(|at| *at < carried).count();
        let found = across + IMAGE.find_iter(chunk).count();
        self.images = self.images.saturating_add(units(Some(found as u64)));
        let end = if chunk.len() >= most { chunk } else { &border };
        self.carry = end.get(end.len().saturating_sub(most)..).unwrap_or_default().to_vec();
    }

    pub(crate) fn billed(&self) -> BilledUnits {
        BilledUnits::of(BilledUnit::Image, self.images)
    }
}

/// Reads a member that is an object. Any other says nothing.
fn inner(value: Option<&RawValue>) -> InnerFields<'_> {
    let object = value.map(RawValue::get).filter(|json| json.starts_with('{'));
    object.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// Returns how many entries of a list are something.
fn entries(list: &RawValue) -> u64 {
    let entries: Vec<Option<IgnoredAny>> = serde_json::from_str(list.get()).unwrap_or_default();
    entries.iter().flatten().count() as u64
}

fn characters(text: &str) -> u64 {
    text.chars().count() as u64
}

fn units(number: Option<u64>) -> u32 {
    number.unwrap_or_default().try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_read_where_providers_report_it() {
        use BilledUnit::{AudioSecond, Character, Image, Page, Search};
        for (unit, json, wanted) in [
            (Image, r#"{"data":[{"b64_json":"A"},{"url":"u"},null]}"#, 2),
            (Image, r#"{"images":[{"url":"u"}]}"#, 1),
            (Image, r#"{"data":[]}"#, 0),
            (Image, r#"{"data":"x"}"#, 0),
            (Image, r#"{"type":"image_generation.completed","b64_json":"A"}"#, 1),
            (Image, r#"{"type":"image_edit.completed","b64_json":"A"}"#, 1),
            (Image, r#"{"type":"image_generation.partial_image","b64_json":"A"}"#, 0),
            (AudioSecond, r#"{"text":"a","usage":{"type":"duration","seconds":9}}"#, 9),
            (AudioSecond, r#"{"text":"a","duration":3.2}"#, 4),
            (AudioSecond, r#"{"text":"a","duration":"8.470000"}"#, 9),
            (AudioSecond, r#"{"text":"a","usage":{"type":"tokens","input_tokens":14,"output_tokens":3}}"#, 0),
            (AudioSecond, r#"{"text":"a","usage":{"seconds":-1},"duration":null}"#, 0),
            (Page, r#"{"pages":[],"usage_info":{"pages_processed":3,"doc_size_bytes":9}}"#, 3),
            (Search, r#"{"results":[],"meta":{"billed_units":{"search_units":2}}}"#, 2),
            (Search, r#"{"results":[],"usage":{"total_tokens":2}}"#, 0),
            (Character, r#"{"input":"abc"}"#, 0),
            (Image, "no JSON", 0),
        ] {
            assert_eq!(billed_in(unit, json.as_bytes()), wanted, "{json}");
        }
    }

    #[test]
    fn a_request_names_images_and_characters() {
        let asked = |unit, n: &str, input: &str| {
            let input = RawValue::from_string(input.to_owned()).expect("JSON");
            billed_by_request(Some(unit), n, &input).get(unit)
        };
        for (n, wanted) in [("3", 3), ("null", 1), ("0", 1), ("\"2\"", 1), ("1.5", 1)] {
            assert_eq!(asked(BilledUnit::Image, n, "null"), wanted, "{n}");
        }
        for (input, wanted) in [(r#""abc""#, 3), (r#""日本語 ä😀""#, 6), (r#""a\n\u00e4""#, 3), ("null", 0), ("[1]", 0)]
        {
            assert_eq!(asked(BilledUnit::Character, "null", input), wanted, "{input}");
        }
        assert!(billed_by_request(None, "3", RawValue::NULL).is_empty());
    }

    #[test]
    fn searches_are_items_that_searched() {
        let searches = |output: &str| {
            let output = RawValue::from_string(output.to_owned()).expect("JSON");
            searches_of_items(Some(&output)).get(BilledUnit::Search)
        };
        let items = r#"[{"type":"web_search_call","action":{"type":"search","query":"q"}},{"type":"web_search_call"},
            {"type":"web_search_call","action":{"type":"open_page","url":"u"}},{"type":"message","content":[]}]"#;
        assert_eq!(searches(items), 2);
        assert_eq!(searches(r#"[{"type":"message","content":[{"text":"\"web_search_call\""}]}]"#), 0);
        assert_eq!(searches("[]"), 0);
    }

    #[test]
    fn images_are_counted_across_any_cut() {
        let answer = format!(
            r#"{{"data":[{{"b64_json":"{0}"}},{{"b64_json":"{0}","revised_prompt":"\"b64_json\""}}]}}"#,
            "A".repeat(40)
        );
        for piece in 1..answer.len() {
            let mut count = ImageCount::default();
            answer.as_bytes().chunks(piece).for_each(|chunk| count.feed(chunk));
            assert_eq!(count.billed().get(BilledUnit::Image), 2, "pieces of {piece}");
        }
    }
}
