//! What a credential may do: patterns over actions and access points.

/// The scope of one credential, from `actions` and `datahubs` of the credentials file.
///
/// A pattern is the name itself, with `*` for any number of any characters. Case counts. A list
/// that is not given allows everything; an empty list allows nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CredentialScope {
    actions: Patterns,
    datahubs: Patterns,
}

/// `None` allows everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Patterns(Option<Box<[Box<str>]>>);

impl CredentialScope {
    /// The scope of these two lists.
    pub fn new(actions: Option<&[String]>, datahubs: Option<&[String]>) -> Self {
        Self {
            actions: Patterns::new(actions),
            datahubs: Patterns::new(datahubs),
        }
    }

    /// Whether the action of this name is allowed.
    pub fn allows_action(&self, action: &str) -> bool {
        self.actions.allow(action)
    }

    /// Whether this access point is allowed.
    pub fn allows_datahub(&self, datahub_id: &str) -> bool {
        self.datahubs.allow(datahub_id)
    }

    /// Whether every access point there can be is allowed, which also opens queries of topics that
    /// no task targets.
    pub fn allows_every_datahub(&self) -> bool {
        match &self.datahubs.0 {
            None => true,
            // A beginning that all ids have, and then anything.
            Some(list) => list.iter().any(|pattern| {
                let beginning = pattern.trim_end_matches('*');
                beginning.len() < pattern.len() && "datahub-".starts_with(beginning)
            }),
        }
    }
}

impl Patterns {
    fn new(list: Option<&[String]>) -> Self {
        // "*" in the list is the common case of the credentials Forebay makes itself.
        Self(match list {
            Some(list) if !list.iter().any(|pattern| pattern == "*") => {
                Some(list.iter().map(|pattern| pattern.as_str().into()).collect())
            }
            _ => None,
        })
    }

    fn allow(&self, name: &str) -> bool {
        match &self.0 {
            None => true,
            Some(list) => list.iter().any(|pattern| matches_pattern(pattern, name)),
        }
    }
}

/// `*` matches any number of bytes; all else matches itself. Takes at most
/// `pattern.len() * name.len()` steps and no memory: on a mismatch only the latest star has to
/// take one byte more.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut latest_star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            latest_star = Some((p, n));
            p += 1;
        } else if pattern.get(p) == Some(&name[n]) {
            p += 1;
            n += 1;
        } else if let Some((star, taken_to)) = latest_star {
            latest_star = Some((star, taken_to + 1));
            p = star + 1;
            n = taken_to + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|&s| s.to_owned()).collect()
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("SendMessage", "SendMessage", true),
            ("SendMessage", "SendMessages", false),
            ("SendMessage", "sendMessage", false),
            ("Describe*", "DescribeDatahubTasks", true),
            ("Describe*", "ModifyDatahubTask", false),
            ("*Task", "DescribeDatahubTask", true),
            ("*Task", "DescribeDatahubTasks", false),
            ("*Datahub*Task*", "DescribeDatahubTasks", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("**", "x", true),
        ] {
            assert_eq!(
                matches_pattern(pattern, name),
                expected,
                "{pattern} on {name}"
            );
        }
    }

    #[test]
    fn absent_is_everything_and_empty_is_nothing() {
        let all = CredentialScope::new(None, None);
        assert!(all.allows_action("SendMessage") && all.allows_datahub("datahub-aaaaaaaa"));
        assert!(all.allows_every_datahub());
        let none = CredentialScope::new(Some(&[]), Some(&[]));
        assert!(!none.allows_action("SendMessage") && !none.allows_datahub("datahub-aaaaaaaa"));
        assert!(!none.allows_every_datahub());
        let some = CredentialScope::new(
            Some(&strings(&["SendMessage"])),
            Some(&strings(&["datahub-a*", "datahub-bbbbbbbb"])),
        );
        assert!(some.allows_action("SendMessage") && !some.allows_action("DeleteDatahubTask"));
        assert!(some.allows_datahub("datahub-axxxxxxx") && some.allows_datahub("datahub-bbbbbbbb"));
        assert!(!some.allows_datahub("datahub-bbbbbbbc") && !some.allows_every_datahub());
        for (pattern, expected) in [
            ("datahub-*", true),
            ("datahub*", true),
            ("d**", true),
            ("**", true),
            ("datahub-a*", false),
            ("datahub-", false),
            ("datahub", false),
            ("", false),
            ("*-*", false),
            ("*a*", false),
        ] {
            let scope = CredentialScope::new(None, Some(&strings(&[pattern])));
            assert_eq!(scope.allows_every_datahub(), expected, "{pattern}");
        }
    }

    /// The obvious recursive definition.
    fn oracle(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|taken| oracle(rest, &name[taken..])),
            Some((byte, rest)) => name.first() == Some(byte) && oracle(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*]{0,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(
                matches_pattern(&pattern, &name),
                oracle(pattern.as_bytes(), name.as_bytes())
            );
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let name = "a".repeat(10_000);
        assert!(!matches_pattern(&format!("{}b", "*a".repeat(30)), &name));
    }
}
