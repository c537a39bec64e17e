//! The visitors that walk through a SendMessage body.
//!
//! All ask for `deserialize_any`: the typed entries of serde_json quote a string that comes where
//! something else is expected, whole, and a body may be one string of 10 MiB.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Reading;

/// Where in the request the reader is; what an error names.
#[derive(Clone, Copy, Default)]
pub(super) enum Place {
    #[default]
    Request,
    DataHubId,
    MessageList,
    Message(usize),
    Key(usize),
    Body(usize),
    Unknown,
    AfterRequest,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request => f.write_str("request"),
            Self::DataHubId => f.write_str("DataHubId"),
            Self::MessageList => f.write_str("Message"),
            Self::Message(index) => write!(f, "Message[{index}]"),
            Self::Key(index) => write!(f, "Message[{index}].Key"),
            Self::Body(index) => write!(f, "Message[{index}].Body"),
            Self::Unknown => f.write_str("an unknown parameter"),
            Self::AfterRequest => f.write_str("after the request"),
        }
    }
}

/// `visit_str` of a visitor that expects no string: says so without quoting it.
macro_rules! refuse_strings {
    ($expected:literal) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str($expected)
        }

        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
            Err(E::custom(concat!("expected ", $expected, ", got a string")))
        }
    };
}

/// A visitor is its own seed.
macro_rules! seed {
    ($name:ident, $value:ty) => {
        impl<'a> DeserializeSeed<'a> for $name<'_, 'a> {
            type Value = $value;

            fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<$value, D::Error> {
                json.deserialize_any(self)
            }
        }
    };
}

/// The whole request.
pub(super) struct Request<'r, 'a>(pub(super) &'r mut Reading<'a>);
seed!(Request, ());

impl<'a> Visitor<'a> for Request<'_, 'a> {
    type Value = ();
    refuse_strings!("an object");

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        while let Some(name) = map.next_key_seed(Name(["DataHubId", "Message"]))? {
            match name {
                Some(0) => {
                    reading.place = Place::DataHubId;
                    refuse_second(reading.datahub_id.is_some())?;
                    reading.datahub_id = Some(map.next_value_seed(Text)?);
                }
                Some(_) => {
                    reading.place = Place::MessageList;
                    refuse_second(reading.message_given)?;
                    reading.message_given = true;
                    map.next_value_seed(MessageList(reading))?;
                }
                None => {
                    reading.place = Place::Unknown;
                    map.next_value_seed(Skipped::default())?;
                }
            }
            reading.place = Place::Request;
        }
        Ok(())
    }
}

/// A key given twice has no meaning that all JSON readers share.
fn refuse_second<E: Error>(given_before: bool) -> Result<(), E> {
    if given_before {
        return Err(E::custom("the key is given twice"));
    }
    Ok(())
}

struct MessageList<'r, 'a>(&'r mut Reading<'a>);
seed!(MessageList, ());

impl<'a> Visitor<'a> for MessageList<'_, 'a> {
    type Value = ();
    refuse_strings!("an array");

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        let reading = self.0;
        loop {
            reading.place = Place::Message(reading.count);
            if list.next_element_seed(MessageObject(reading))?.is_none() {
                return Ok(());
            }
        }
    }
}

struct MessageObject<'r, 'a>(&'r mut Reading<'a>);
seed!(MessageObject, ());

impl<'a> Visitor<'a> for MessageObject<'_, 'a> {
    type Value = ();
    refuse_strings!("an object");

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        let index = reading.count;
        let mut key = None;
        let mut body = None;
        while let Some(name) = map.next_key_seed(Name(["Body", "Key"]))? {
            match name {
                Some(0) => {
                    reading.place = Place::Body(index);
                    refuse_second(body.is_some())?;
                    body = Some(map.next_value_seed(Text)?);
                }
                Some(_) => {
                    reading.place = Place::Key(index);
                    refuse_second(key.is_some())?;
                    key = Some(map.next_value_seed(OptionalText)?);
                }
                None => {
                    map.next_value_seed(Skipped::default())?;
                }
            }
            reading.place = Place::Message(index);
        }
        reading.add_message(key.flatten(), body);
        Ok(())
    }
}

/// The name of a member: its index among the two that are known, or `None`.
struct Name([&'static str; 2]);

impl<'a> DeserializeSeed<'a> for Name {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}

/// A string, borrowed where JSON has no escapes.
struct Text;

impl<'a> DeserializeSeed<'a> for Text {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Text {
    type Value = Cow<'a, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A string or `null`.
struct OptionalText;

impl<'a> DeserializeSeed<'a> for OptionalText {
    type Value = Option<Cow<'a, str>>;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for OptionalText {
    type Value = Option<Cow<'a, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Self::Value, E> {
        Text.visit_borrowed_str(text).map(Some)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Text.visit_str(text).map(Some)
    }
}

/// Arrays and objects within each other, in what is skipped.
const MAX_DEPTH: u8 = 64;

/// Any value, checked and dropped. Unlike `serde::de::IgnoredAny` it has a depth limit under any
/// reader (sonic-rs has none of its own: a body of brackets would end the process) and refuses
/// strings that are not Unicode.
struct Skipped {
    deeper: u8,
}

impl Default for Skipped {
    fn default() -> Self {
        Self { deeper: MAX_DEPTH }
    }
}

impl Skipped {
    fn inside<E: Error>(self) -> Result<u8, E> {
        let deeper = self.deeper.checked_sub(1);
        deeper.ok_or_else(|| E::custom("recursion limit of 64 exceeded"))
    }
}

impl<'a> DeserializeSeed<'a> for Skipped {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Skipped {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        let deeper = self.inside()?;
        while list.next_element_seed(Self { deeper })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let deeper = self.inside()?;
        while map.next_key_seed(Self { deeper })?.is_some() {
            map.next_value_seed(Self { deeper })?;
        }
        Ok(())
    }
}
