//! A tree of JSON values whose objects give no key twice.
//!
//! `serde_json::Value` keeps the last of equal keys, other readers the first: a proxy that
//! checks a request could see another TaskId than the one that is acted upon.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::echo::clipped;

/// See the module.
pub(crate) struct UniqueKeys(pub(crate) Value);

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Tree).map(Self)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(UniqueKeys(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            if members.contains_key(&key) {
                let key = clipped(&key);
                return Err(A::Error::custom(format!("the key [{key}] is given twice")));
            }
            let UniqueKeys(value) = object.next_value()?;
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Value, serde_json::Error> {
        serde_json::from_str(json).map(|UniqueKeys(value)| value)
    }

    #[test]
    fn reads_what_serde_json_reads() {
        let json = r#"{"a":[null,true,-1,18446744073709551615,1.5,"ü\n",{}],"b":{"a":""}}"#;
        let expected: Value = serde_json::from_str(json).unwrap();
        assert_eq!(read(json).unwrap(), expected);
        let deep = "[".repeat(100_000);
        assert!(read(&deep).unwrap_err().to_string().contains("recursion"));
    }

    #[test]
    fn a_key_given_twice_is_refused_at_any_depth_however_it_is_spelt() {
        for json in [
            r#"{"TaskId":"a","TaskId":"b"}"#,
            r#"{"TaskId":"a","TaskI\u0064":"a"}"#,
            r#"{"x":[{"TaskId":1,"TaskId":2}]}"#,
            r#"{"x":{"TaskId":null,"TaskId":null}}"#,
        ] {
            let error = read(json).unwrap_err().to_string();
            assert!(error.contains("the key [TaskId] is given twice"), "{error}");
        }
        read(r#"{"a":{"a":[{"a":1},{"a":1}]}}"#).unwrap();
    }
}
