use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

/// The keys of a struct, asked of its own `Deserialize`, so that they are written down once.
pub(super) fn fields<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    struct Ask<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Ask<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
            Err(Error::custom("only structs have fields"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            Err(Error::custom("asked for the fields only"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    // The answer is the side effect; the deserializer never succeeds.
    let _ = T::deserialize(Ask(&mut names));
    names
}

#[cfg(test)]
mod tests {
    use super::super::LossSettings;
    use super::fields;

    #[test]
    fn a_struct_tells_its_keys() {
        assert_eq!(fields::<LossSettings>(), ["kind", "margin", "smoothing", "temperature"]);
        assert!(fields::<f64>().is_empty());
    }
}
