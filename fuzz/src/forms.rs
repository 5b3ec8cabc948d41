//! Forms: a form is read alike in pieces of any size, and a found model stands where the form says, once.

use api_together::proxy::FormScanner;
use api_together::proxy::fuzzing::form_model;

const TYPE: &[u8] = b"multipart/form-data; boundary=XX";

/// Holds for any form.
pub fn holds(input: &[u8]) {
    let whole = scanned(input, input.len().max(1));
    for size in [1, 2, 3, 7, 64] {
        let pieces = scanned(input, size);
        // A refusal may have another reason: what comes later is seen later.
        assert_eq!(pieces.is_some(), whole.is_some(), "in pieces of {size}");
        assert_eq!(pieces, whole, "in pieces of {size}");
    }
    let Some(Some((model, start, end))) = whole else { return };
    assert_eq!(input.get(start..end), Some(model.as_bytes()), "the model stands in another place");
    // Whoever looks for parts in the simplest way finds the same one.
    let plain = b"Content-Disposition: form-data; name=\"model\"\r\n\r\n";
    let form = [b"\r\n", input].concat();
    let parts = split(&form, b"\r\n--XX\r\n").into_iter().filter_map(|part| part.strip_prefix(plain));
    for part in parts {
        let value = split(part, b"\r\n--XX").first().copied().unwrap_or_default();
        assert_eq!(value, model.as_bytes(), "another reader finds another model");
    }
    // So does a reader to whom any end of a line is as good as any other.
    let (form, plain, model) = (lenient(&form), lenient(plain), lenient(model.as_bytes()));
    let parts = split(&form, b"\n--XX\n").into_iter().filter_map(|part| part.strip_prefix(plain.as_slice()));
    for part in parts {
        let value = split(part, b"\n--XX").first().copied().unwrap_or_default();
        assert_eq!(value, model, "a lenient reader finds another model");
    }
}

/// Returns the same with `\n` for each end of a line.
fn lenient(form: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    for (nth, &byte) in form.iter().enumerate() {
        match byte {
            b'\r' if form.get(nth + 1) == Some(&b'\n') => {}
            b'\r' => read.push(b'\n'),
            byte => read.push(byte),
        }
    }
    read
}

/// Returns the model with its place, if the form is sound.
fn scanned(form: &[u8], size: usize) -> Option<Option<(String, usize, usize)>> {
    let mut scanner = FormScanner::new(TYPE).expect("a boundary");
    for piece in form.chunks(size) {
        scanner.push(piece).ok()?;
    }
    form_model(scanner)
}

fn split<'a>(mut bytes: &'a [u8], at: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(found) = bytes.windows(at.len()).position(|window| window == at) {
        parts.push(&bytes[..found]);
        bytes = &bytes[found + at.len()..];
    }
    parts.push(bytes);
    parts
}
