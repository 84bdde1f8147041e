//! The command line as it is parsed and shown: paragraphs flow to the width of whoever reads them.
//!
//! Why it exists: help texts are written in lines of the source, and a terminal is narrower: a line broken twice
//! leaves a lone word. So lines that belong together are put together first, and clap breaks them once. Examples stay
//! as they are typed.

use clap::{Command, CommandFactory as _, FromArgMatches as _};

use super::Cli;

/// Spaces before the words about an example.
const ABOUT: usize = 6;

/// All commands.
pub(crate) fn command() -> Command {
    flow(Cli::command())
}

/// What was typed. Ends the program when it is wrong, or asks for help.
pub(crate) fn parsed() -> Cli {
    let matches = command().get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn flow(command: Command) -> Command {
    let mut command = command.mut_subcommands(flow);
    if let Some(text) = command.get_after_long_help().map(|text| flowing(&text.to_string())) {
        command = command.after_long_help(text);
    }
    if let Some(text) = command.get_after_help().map(|text| flowing(&text.to_string())) {
        command = command.after_help(text);
    }
    command
}

/// A text with each paragraph on one line.
fn flowing(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines: Vec<String> = Vec::new();
    let (mut goes_on, mut is_typed) = (None, false);
    for line in text.lines() {
        let own = indent(line);
        let begins = line.is_empty() || line.starts_with("Exit codes:");
        match lines.last_mut().filter(|_| goes_on == Some(own) && !begins) {
            Some(last) => last.extend([" ", line.trim_start()]),
            None => lines.push(line.to_owned()),
        }
        // What is typed, and what that goes on with, is no paragraph.
        let is_words = !is_typed && (own == 0 || own == ABOUT);
        is_typed = line.ends_with('\\');
        let is_over = line.is_empty() || line.ends_with(':');
        goes_on = (is_words && !is_typed && !is_over).then_some(own);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_flow_and_examples_stay() {
        let text = "Examples:\n  gridkv a\n      One\n      two.\n  gridkv b \\\n      --c\n      Words.\n\nThree\nfour.\nExit codes: 0";
        let flowed = "Examples:\n  gridkv a\n      One two.\n  gridkv b \\\n      --c\n      Words.\n\nThree four.\nExit codes: 0";
        assert_eq!(flowing(text), flowed);
    }

    #[test]
    fn no_help_leaves_a_lone_word() {
        let mut commands = vec![command()];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            let text = command.clone().term_width(100).render_long_help().to_string();
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.windows(3) {
                let [before, line, after] = pair else { continue };
                // A short line between full ones of the same paragraph.
                let is_alone = before.len() > 80 && line.len() < 40 && after.len() > 40;
                let indent = |line: &str| line.len() - line.trim_start().len();
                let same_indent = indent(before) == indent(line) && indent(line) == indent(after);
                let is_end = line.is_empty() || line.ends_with(['.', ']', ':']);
                assert!(
                    !(is_alone && same_indent) || is_end,
                    "{}: {line}\n{text}",
                    command.get_name()
                );
                assert!(line.len() <= 110, "{line}");
            }
        }
    }
}
