//! How long a certificate lasts.

/// Warned of from then on.
const WARN_SECONDS: i64 = 14 * 86_400;

/// When a certificate is good, in Unix seconds, both ends included
/// (RFC 5280, 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

impl Validity {
    /// What is wrong or will soon be, `now` being Unix seconds.
    pub(super) fn problem(self, now: i64) -> Option<String> {
        let left = self.not_after - now;
        if now < self.not_before {
            let wait = self.not_before - now;
            Some(format!(
                "the certificate is not good before {wait} s from now"
            ))
        } else if left < 0 {
            Some("the certificate has expired".to_owned())
        } else if left < WARN_SECONDS {
            let (days, hours) = (left / 86_400, left % 86_400 / 3600);
            Some(format!("the certificate expires in {days} d {hours} h"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fourteen_days_before_the_end_it_is_said() {
        let day = 86_400;
        let validity = Validity {
            not_before: 10 * day,
            not_after: 100 * day,
        };
        let at = |now| validity.problem(now);
        assert!(at(9 * day).unwrap().contains("not good before 86400 s"));
        assert_eq!(at(10 * day), None);
        assert_eq!(at(86 * day), None);
        assert!(at(86 * day + 1).unwrap().contains("expires in 13 d 23 h"));
        assert!(at(100 * day).unwrap().contains("expires in 0 d 0 h"));
        assert!(at(100 * day + 1).unwrap().contains("has expired"));
    }
}
