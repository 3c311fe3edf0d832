//! Captions in the text members of a sample.

use radapter_files::json_reason;
use serde_json::Value;

/// Returns the caption of a `.txt`, or the problem.
pub(super) fn of_text(bytes: Vec<u8>) -> Result<Vec<String>, String> {
    let text = String::from_utf8(bytes).map_err(|error| format!("it is not UTF-8: {error}"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(vec![line.strip_suffix('\r').unwrap_or(line).to_owned()])
}

/// Returns the captions of a `.json`, possibly none, or the problem.
pub(super) fn of_json(bytes: &[u8]) -> Result<Vec<String>, String> {
    match serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {}", json_reason(bytes, &error)))? {
        Value::Array(list) => texts(list, ""),
        Value::Object(mut object) => {
            let mut captions = match object.remove("caption") {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::String(caption)) => vec![caption],
                Some(_) => return Err("expected a string as `caption`".to_owned()),
            };
            let more = match object.remove("captions") {
                None | Some(Value::Null) => Vec::new(),
                Some(Value::Array(list)) => texts(list, "captions")?,
                Some(_) => return Err("expected a list of strings as `captions`".to_owned()),
            };
            let differs: Vec<String> = more.into_iter().filter(|caption| !captions.contains(caption)).collect();
            captions.extend(differs);
            Ok(captions)
        }
        _ => Err("expected an object with `caption` or `captions`, or a list of strings".to_owned()),
    }
}

fn texts(list: Vec<Value>, place: &str) -> Result<Vec<String>, String> {
    let text = |(index, value)| match value {
        Value::String(text) => Ok(text),
        _ => Err(format!("expected a string at `{place}[{index}]`")),
    };
    list.into_iter().enumerate().map(text).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn a_text_loses_only_its_final_line_break() {
        for (content, caption) in
            [("a cat", "a cat"), (" a\ncat \n", " a\ncat "), ("a\r\n", "a"), ("a\n\n", "a\n"), ("", "")]
        {
            assert_eq!(of_text(content.into()).unwrap(), [caption]);
        }
        assert!(of_text(vec![b'a', 0xff]).unwrap_err().contains("not UTF-8"));
    }

    #[test]
    fn json_is_an_object_or_a_list() {
        for (json, expected) in [
            (r#"{"caption": "a", "width": 3}"#, &["a"][..]),
            (r#"{"captions": ["a", "b", "a"]}"#, &["a", "b", "a"]),
            (r#"{"captions": ["b", "a"], "caption": "a"}"#, &["a", "b"]),
            (r#"["a", "b"]"#, &["a", "b"]),
            (r#"{"caption": null}"#, &[]),
            (r#"{"width": 3}"#, &[]),
        ] {
            assert_eq!(of_json(json.as_bytes()).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn other_json_says_what_was_expected() {
        for (json, part) in [
            ("{\"caption\": ", "not JSON"),
            ("{\"similarity\": NaN, \"caption\": \"a\"}", "`NaN` at line 1 column 16"),
            (r#"{"caption": ["a"]}"#, "a string as `caption`"),
            (r#"{"captions": "a"}"#, "a list of strings as `captions`"),
            (r#"{"captions": ["a", 3]}"#, "`captions[1]`"),
            (r#"["a", {}]"#, "`[1]`"),
            ("3", "expected an object"),
        ] {
            let problem = of_json(json.as_bytes()).unwrap_err();
            assert!(problem.contains(part), "{json}: {problem}");
        }
    }
}
