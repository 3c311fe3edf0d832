//! Describes the values that a type accepts, as its own `Deserialize` declares them.

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Expected, Visitor};
use serde::forward_to_deserialize_any;

/// The values that a setting accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// Description, as errors give it after "expected": "a number", "`exact` or `fast`".
    pub text: String,
    /// The words among the values, for completion.
    pub words: Vec<String>,
}

impl Kind {
    /// Asks a type's `Deserialize` for its kind.
    pub fn of<T: for<'de> Deserialize<'de>>() -> Self {
        let mut kind = Self::default();
        // The answer is the side effect; the deserializer never succeeds.
        let _ = T::deserialize(Ask(&mut kind));
        kind
    }

    fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), words: Vec::new() }
    }

    /// One of these words.
    pub fn of_words<T: AsRef<str>>(words: &[T]) -> Self {
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{}\"", word.as_ref())).collect();
        let text = match quoted.as_slice() {
            [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => quoted.concat(),
        };
        Self { text, words: words.iter().map(|word| word.as_ref().to_owned()).collect() }
    }

    /// The kind that a visitor describes; the quoted parts of its description are words.
    fn of_visitor(visitor: &dyn Expected) -> Self {
        let text = visitor.to_string();
        let words = text.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        Self { text, words }
    }
}

/// A deserializer that records the type asked for and always fails.
struct Ask<'a>(&'a mut Kind);

impl Ask<'_> {
    fn note<T>(self, kind: Kind) -> Result<T, Error> {
        *self.0 = kind;
        Err(Error::custom("asked for the kind only"))
    }
}

macro_rules! plain {
    ($($method:ident: $text:literal),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
            self.note(Kind::plain($text))
        }
    )*};
}

impl<'de> Deserializer<'de> for Ask<'_> {
    type Error = Error;

    plain! {
        deserialize_bool: "true or false",
        deserialize_i8: "a whole number", deserialize_i16: "a whole number", deserialize_i32: "a whole number",
        deserialize_i64: "a whole number", deserialize_i128: "a whole number",
        deserialize_u8: "a whole number", deserialize_u16: "a whole number", deserialize_u32: "a whole number",
        deserialize_u64: "a whole number", deserialize_u128: "a whole number",
        deserialize_f32: "a number", deserialize_f64: "a number",
        deserialize_char: "a single character",
        deserialize_seq: "a list", deserialize_map: "a table",
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.note(Kind::of_visitor(&visitor))
    }

    fn deserialize_str<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        self.note(Kind::plain("a string"))
    }

    fn deserialize_string<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        self.note(Kind::plain("a string"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, _visitor: V) -> Result<V::Value, Error> {
        self.note(Kind::plain(&format!("a list of {length} numbers")))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        self.note(Kind::of_words(variants))
    }

    forward_to_deserialize_any! {
        bytes byte_buf unit unit_struct tuple_struct struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OrNone;

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    #[allow(dead_code, reason = "only its names are asked for")]
    enum Loss {
        MpmNce,
        InfoNce,
    }

    #[test]
    fn types_say_what_they_take() {
        assert_eq!(Kind::of::<f64>().text, "a number");
        assert_eq!(Kind::of::<Option<usize>>().text, "a whole number");
        assert_eq!(Kind::of::<[f64; 2]>().text, "a list of 2 numbers");
        assert_eq!(
            Kind::of::<OrNone<f64>>(),
            Kind { text: "a number or \"none\"".to_owned(), words: vec!["none".to_owned()] }
        );
        assert_eq!(Kind::of::<Loss>().text, "\"mpm-nce\" or \"info-nce\"");
        assert_eq!(Kind::of::<Loss>().words, ["mpm-nce", "info-nce"]);
    }
}
