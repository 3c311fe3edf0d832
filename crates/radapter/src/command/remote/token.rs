//! The token that a remote device requires.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The variable that holds the token.
const TOKEN: &str = "RADAPTER_REMOTE_TOKEN";
/// The variable that names a file with the token.
const TOKEN_FILE: &str = "RADAPTER_REMOTE_TOKEN_FILE";

/// Reads the token from `file`, else from the environment; never from the command line, which every user of a machine can read.
pub(crate) fn token(file: Option<&Path>) -> anyhow::Result<String> {
    let named = std::env::var_os(TOKEN_FILE).map(PathBuf::from);
    if let Some(path) = file.or(named.as_deref().filter(|_| std::env::var_os(TOKEN).is_none())) {
        return of_file(path);
    }
    match std::env::var(TOKEN) {
        Ok(token) if !token.trim().is_empty() => Ok(token.trim().to_owned()),
        Ok(_) => bail!("{TOKEN} is empty; set it to a long random text"),
        Err(_) => bail!(
            "a remote device requires a token: put the same long random text into {TOKEN}, or into a file that {TOKEN_FILE} names, \
             on both sides (`openssl rand -hex 32` makes one)"
        ),
    }
}

fn of_file(path: &Path) -> anyhow::Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the token in `{}`", path.display()))?;
    let token = text.trim();
    if token.is_empty() {
        bail!("the token file `{}` is empty; put a long random text into it", path.display());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
        if open {
            tracing::warn!("others on this machine can read the token: `chmod 600 {}`", path.display());
        }
    }
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_token_of_a_file_is_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "  secret\n").unwrap();
        assert_eq!(token(Some(&path)).unwrap(), "secret");
        std::fs::write(&path, "\n").unwrap();
        assert!(token(Some(&path)).unwrap_err().to_string().contains("is empty"));
        let missing = token(Some(&folder.path().join("missing"))).unwrap_err();
        assert!(missing.to_string().contains("missing"), "{missing}");
    }
}
