//! Users, as the system's user database has them.

use nix::unistd::{Uid, User};

/// A name that the user database does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownUser {
    /// There is no such user.
    #[error("there is no user `{0}`; write a name that `getent passwd` shows, or a number")]
    Name(String),
    /// The database does not answer.
    #[error("cannot look up the user `{name}`; write the number instead")]
    Database {
        /// The name.
        name: String,
        /// What it says.
        source: nix::Error,
    },
}

/// The number of a user: of its name, or the number itself, which nobody
/// needs to have.
///
/// # Errors
/// A name that nobody has.
pub fn id_of(name: &str) -> Result<u32, UnknownUser> {
    let name = name.trim();
    // All bits set means "no user" to the kernel.
    if let Some(id) = name.parse().ok().filter(|&id| id != u32::MAX) {
        return Ok(id);
    }
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(UnknownUser::Name(name.to_owned())),
        Err(source) => Err(UnknownUser::Database {
            name: name.to_owned(),
            source,
        }),
    }
}

/// The name of a user, where it has one.
#[must_use]
pub fn name_of(id: u32) -> Option<String> {
    let user = User::from_uid(Uid::from_raw(id)).ok().flatten();
    user.map(|user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_users() {
        assert_eq!(id_of("root"), Ok(0));
        assert_eq!(id_of(" 0 "), Ok(0));
        assert_eq!(id_of("12345678"), Ok(12_345_678));
        assert_eq!(name_of(0).as_deref(), Some("root"));
        assert_eq!(name_of(12_345_678), None);
    }

    #[test]
    fn a_name_that_nobody_has_is_told() {
        for name in ["", "no such user", "-1", "4294967295", "4294967296"] {
            let error = id_of(name).unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
        assert!(id_of("a\0b").is_err());
    }
}
