//! Flattened names back to a tree.

use serde_json::{Map, Value};

use super::{index, invalid};
use crate::echo::clipped;
use crate::error_code::ApiError;
use crate::limits::MAX_FLATTENED_DEPTH;

/// The tree of `pairs`, which are in the byte order of their names, each name once.
///
/// # Errors
///
/// `InvalidParameter` for an empty part of a name, a name deeper than 10 parts, a name that is both
/// a value and an object or list (`A` and `A.0`), a list with gaps, and a mix of a list's items and
/// an object's members.
pub(super) fn object(pairs: &[(&str, &str)]) -> Result<Map<String, Value>, ApiError> {
    members(pairs, 0, 1)
}

/// The members of the object or list whose name ends at byte `at` of all of `pairs`.
fn members(
    pairs: &[(&str, &str)],
    at: usize,
    depth: usize,
) -> Result<Map<String, Value>, ApiError> {
    let mut members = Map::new();
    let mut rest = pairs;
    while let Some((name, value)) = rest.first() {
        let (part, is_leaf) = match name[at..].split_once('.') {
            Some((part, _)) => (part, false),
            None => (&name[at..], true),
        };
        if part.is_empty() {
            return Err(refused(name, "a part of the name is empty"));
        }
        let (member, taken) = if is_leaf {
            (Value::from(*value), 1)
        } else {
            if depth == MAX_FLATTENED_DEPTH {
                return Err(refused(name, "the name has more than 10 parts"));
            }
            // All that begin with the same parts and a dot stand together.
            let deeper = at + part.len() + 1;
            let shared = &name[..deeper];
            let count = rest.partition_point(|(other, _)| other.starts_with(shared));
            (branch(&rest[..count], deeper, depth + 1)?, count)
        };
        if members.insert(part.to_owned(), member).is_some() {
            let whole = &name[..at + part.len()];
            return Err(refused(
                whole,
                "given both as a value and with parts of its own",
            ));
        }
        rest = &rest[taken..];
    }
    Ok(members)
}

fn branch(pairs: &[(&str, &str)], at: usize, depth: usize) -> Result<Value, ApiError> {
    let members = members(pairs, at, depth)?;
    let is_number = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = members.keys().filter(|name| is_number(name)).count();
    if numbers == 0 {
        return Ok(Value::Object(members));
    }
    let name = pairs.first().map_or("", |(name, _)| &name[..at - 1]);
    if numbers < members.len() {
        return Err(refused(
            name,
            "expected a list's items or an object's members, got both",
        ));
    }
    list(name, members)
}

/// A list's items in their order.
fn list(name: &str, items: Map<String, Value>) -> Result<Value, ApiError> {
    let mut list = vec![Value::Null; items.len()];
    for (key, item) in items {
        let place = index(&key).and_then(|index| usize::try_from(index).ok());
        let Some(place) = place.and_then(|index| list.get_mut(index)) else {
            return Err(refused(
                name,
                &format!(
                    "expected {} items numbered from 0 without gaps, got item {}",
                    list.len(),
                    clipped(&key)
                ),
            ));
        };
        *place = item;
    }
    Ok(Value::Array(list))
}

fn refused(name: &str, problem: &str) -> ApiError {
    invalid(format!("{}: {problem}", clipped(name)))
}
