//! Programs that check files and end: promtool and the compiler of TypeScript.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::finding::Finding;

/// Runs `promtool`, and says what it found when it did not succeed.
///
/// # Errors
/// When it is not there.
pub(crate) fn promtool<S: AsRef<OsStr>>(
    arguments: &[S],
    input: &[u8],
) -> Result<Option<String>, Error> {
    let missing = Error::Missing { program: "promtool", remedy: crate::server::REMEDY };
    let mut command = Command::new("promtool");
    command.args(arguments);
    run(command, input).map_err(|_| missing)
}

/// Succeeds where the program is there.
///
/// # Errors
/// When it is not.
pub(crate) fn require(program: &'static str, remedy: &'static str) -> Result<(), Error> {
    let mut command = Command::new(program);
    command.arg("--version");
    run(command, b"").map(drop).map_err(|_| Error::Missing { program, remedy })
}

/// Runs a program, and says what it printed when it did not succeed.
///
/// # Errors
/// When it can not be started.
pub(crate) fn run(mut command: Command, input: &[u8]) -> std::io::Result<Option<String>> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // Who ends without reading all of it says why.
        drop(stdin.write_all(input));
    }
    let output = child.wait_with_output()?;
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    write!(said, "{}", String::from_utf8_lossy(&output.stderr)).unwrap_or_default(); // a String takes all
    Ok((!output.status.success()).then_some(said))
}

/// Everything of `grafana/` that promtool understands: the configuration, the rules, and their tests.
///
/// # Errors
/// When promtool is not there.
pub(crate) fn check_files(root: &Path) -> Result<Vec<Finding>, Error> {
    let files = [
        (["check", "config"], crate::scrape::CONFIG),
        (["check", "rules"], crate::rules::RECORDING),
        (["check", "rules"], crate::rules::ALERTS),
        (["test", "rules"], crate::rules::TESTS),
    ];
    let mut findings = Vec::new();
    for (words, file) in files {
        let path = root.join(file);
        let arguments = words.iter().map(OsStr::new).chain([path.as_os_str()]);
        let said = promtool(&arguments.collect::<Vec<_>>(), b"")?;
        findings
            .extend(said.map(|said| Finding::new(format!("promtool {}", words.join(" ")), said)));
    }
    Ok(findings)
}
