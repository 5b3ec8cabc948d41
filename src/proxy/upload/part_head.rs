//! What the head of a form's part says, read so strictly that no other reader understands another field.

/// The longest boundary, in bytes (RFC 2046).
const LONGEST_BOUNDARY: usize = 70;

/// A field that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Model,
    Stream,
    N,
}

impl Field {
    const ALL: [Field; 3] = [Field::Model, Field::Stream, Field::N];

    /// Returns the name in the form.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Field::Model => "model",
            Field::Stream => "stream",
            Field::N => "n",
        }
    }
}

/// Returns the boundary of a form with this `Content-Type`: a single one of 1 to 70 printable characters.
pub(super) fn boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(content_type).ok()?;
    let (kind, parameters) = text.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut found = parameters_of(parameters)?.into_iter().filter(|(name, _)| name == "boundary");
    let (_, boundary) = found.next()?;
    let is_usable = (1..=LONGEST_BOUNDARY).contains(&boundary.len())
        && boundary.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && !boundary.ends_with(' ');
    (is_usable && found.next().is_none()).then(|| boundary.into_bytes())
}

/// Returns the field of a part with this head, if the field matters.
///
/// # Errors
/// When two readers could understand the head differently.
pub(super) fn field(head: &[u8]) -> Result<Option<Field>, String> {
    let text = std::str::from_utf8(head).map_err(|_| "the head of a part of the form is not UTF-8".to_owned())?;
    let mut disposition = None;
    let mut is_plain = true;
    for line in text.split("\r\n") {
        let (name, value) = line
            .split_once(':')
            .filter(|(name, _)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
            .filter(|(_, value)| !value.contains(['\r', '\n', '\0']))
            .ok_or_else(|| "a line in the head of a part of the form is no header".to_owned())?;
        match name.to_ascii_lowercase().as_str() {
            "content-disposition" if disposition.replace(value).is_some() => {
                return Err("a part of the form has two Content-Disposition headers".to_owned());
            }
            "content-disposition" | "content-length" => {}
            "content-type" => is_plain &= is_plain_text(value),
            // An encoding, above all: the value would be another one.
            _ => is_plain = false,
        }
    }
    let disposition = disposition.ok_or_else(|| "a part of the form has no Content-Disposition".to_owned())?;
    let (field, is_file) = named(disposition)?;
    match field {
        // Nothing is routed by the number, so a strange one is the upstream's to judge.
        Some(Field::N) if is_file || !is_plain => Ok(None),
        Some(field) if is_file || !is_plain => {
            Err(format!("the field {} of the form must be plain text: no file, no encoding", field.name()))
        }
        field => Ok(field),
    }
}

/// Returns the field that a `Content-Disposition` names, and whether a file is named.
fn named(disposition: &str) -> Result<(Option<Field>, bool), String> {
    let unclear = || "a Content-Disposition of the form can't be read".to_owned();
    let (kind, parameters) = disposition.split_once(';').ok_or_else(unclear)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(unclear());
    }
    let parameters = parameters_of(parameters).ok_or_else(unclear)?;
    let mut names = parameters.iter().filter(|(name, _)| name == "name");
    let name = names.next().map(|(_, value)| value.as_str()).ok_or_else(unclear)?;
    // `name*` is another way to say the name, and not every reader knows that way.
    if names.next().is_some() || parameters.iter().any(|(name, _)| name == "name*") {
        return Err("a part of the form has two names".to_owned());
    }
    let is_file = parameters.iter().any(|(name, _)| name == "filename" || name == "filename*");
    Ok((Field::ALL.into_iter().find(|field| field.name() == name), is_file))
}

/// Reads `a=b; c="d"`: names in small letters, values without quotes. `None`: something else, or a quoted value with an escape in a
/// name that would be one of ours.
fn parameters_of(text: &str) -> Option<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let (value, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_value(quoted)?,
            None => {
                let (value, after) = after.split_once(';').map_or((after, ""), |(value, after)| (value, after));
                let value = value.trim();
                if value.is_empty() || !value.bytes().all(is_token) {
                    return None;
                }
                parameters.push((name, value.to_owned()));
                rest = after.trim_start();
                continue;
            }
        };
        parameters.push((name, value));
        let after = after.trim_start();
        rest = match after.strip_prefix(';') {
            Some(after) => after.trim_start(),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(parameters)
}

/// Returns a value up to the closing quote, without escapes, and what stands behind the quote.
fn quoted_value(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            // Only these two are escaped. (A browser of old sends the backslashes of a path as they are.)
            '\\' if quoted.get(at + 1..)?.starts_with(['"', '\\']) => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/:@?,".contains(&byte)
}

/// Returns whether a value of this type is its bytes, for every reader.
fn is_plain_text(content_type: &str) -> bool {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let Some(parameters) = parameters_of(parameters) else { return false };
    let is_known = |(name, value): &(String, String)| {
        name == "charset" && ["utf-8", "us-ascii"].iter().any(|plain| value.eq_ignore_ascii_case(plain))
    };
    kind.trim().eq_ignore_ascii_case("text/plain") && parameters.iter().all(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Result<Option<Field>, String> {
        field(head.as_bytes())
    }

    #[test]
    fn fields_are_known_by_every_plain_form_of_their_name() {
        for head in [
            "Content-Disposition: form-data; name=\"model\"",
            "content-disposition:form-data;name=model",
            "Content-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain; charset=UTF-8",
            "Content-Length: 5\r\nContent-Disposition: form-data; name=\"model\"",
        ] {
            assert_eq!(of(head), Ok(Some(Field::Model)), "{head}");
        }
        for head in [
            "Content-Disposition: form-data; name=\"file\"; filename=\"model\"\r\nContent-Type: audio/mpeg",
            "Content-Disposition: form-data; name=\"file\"; filename=\"C:\\temp\\a;b.mp3\"",
            "Content-Disposition: form-data; name=\"Model\"",
            "Content-Disposition: form-data; name=\"timestamp_granularities[]\"",
            "Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''%e2%82%ac.mp3; filename=\"x.mp3\"",
        ] {
            assert_eq!(of(head), Ok(None), "{head}");
        }
        assert_eq!(of("Content-Disposition: form-data; name=\"stream\""), Ok(Some(Field::Stream)));
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for head in [
            "",
            "Content-Type: text/plain",
            "Content-Disposition: attachment; name=\"model\"",
            "Content-Disposition: form-data",
            "Content-Disposition: form-data; name=\"model",
            "Content-Disposition: form-data; name=\"a\"; name=\"model\"",
            "Content-Disposition: form-data; name=\"a\"; name*=UTF-8''model",
            "Content-Disposition: form-data; name=\"model\"; filename=\"a\"",
            "Content-Disposition: form-data; name=\"model\"x",
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"model\"",
            "Content-Disposition: form-data; name=\"a\"\r\n ; name=\"model\"",
            "Content-Disposition: form-data; name=\"a\"\n; name=\"model\"",
            "Content-Disposition : form-data; name=\"model\"",
            "Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64",
            "Content-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain; charset=utf-16",
            "Content-Disposition: form-data; name=\"model\"\r\nContent-Type: application/json",
        ] {
            assert!(of(head).is_err(), "{head}");
        }
        // With the escape, some read `model`, and some do not.
        assert_eq!(of("Content-Disposition: form-data; name=\"mo\\del\""), Ok(None));
    }

    #[test]
    fn a_boundary_is_read_from_the_type_of_the_body() {
        let read = |text: &str| boundary(text.as_bytes()).map(|boundary| String::from_utf8(boundary).expect("ASCII"));
        assert_eq!(read("multipart/form-data; boundary=abc"), Some("abc".to_owned()));
        assert_eq!(read("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\""), Some("a b".to_owned()));
        for text in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=a; boundary=b",
            "multipart/form-data; boundary=\"a \"",
            "multipart/mixed; boundary=a",
            "application/json; boundary=a",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&format!("multipart/form-data; boundary={}", "a".repeat(71))), None);
    }
}
