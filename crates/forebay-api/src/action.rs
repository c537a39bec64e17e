//! Names of the actions, as `X-TC-Action` carries them.

use std::fmt;

/// The only API version there is (`X-TC-Version`).
pub const VERSION: &str = "2019-08-19";

macro_rules! actions {
    ($($variant:ident,)+) => {
        /// An action of the API that Forebay knows by name.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[expect(missing_docs, reason = "the names are the API's own and say what they do")]
        pub enum Action {
            $($variant,)+
        }

        impl Action {
            /// All actions, for metrics and for help texts.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The action's name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)+
                }
            }

            /// The action of that exact name. `None` is answered with
            /// [`ApiError::invalid_action`](crate::ApiError::invalid_action).
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($variant) => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

actions! {
    SendMessage,
    CreateDatahubTask,
    DescribeDatahubTask,
    DescribeDatahubTasks,
    ModifyDatahubTask,
    DeleteDatahubTask,
    PauseDatahubTask,
    ResumeDatahubTask,
    RestartDatahubTask,
    CreateDatahubTopic,
    DescribeDatahubTopic,
    ModifyDatahubTopic,
    DeleteDatahubTopic,
    DescribeDatahubTopics,
    DescribeTopic,
    DescribeTopicDetail,
    FetchMessageByOffset,
    FetchMessageListByOffset,
    FetchMessageListByTimestamp,
    FetchDatahubMessageByOffset,
    FetchLatestDatahubMessageList,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_case_counts() {
        for action in Action::ALL {
            assert_eq!(Action::from_name(action.as_str()), Some(*action));
        }
        assert_eq!(Action::from_name("sendmessage"), None);
        assert_eq!(Action::from_name(""), None);
    }
}
