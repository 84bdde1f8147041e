//! The commands, as people and scripts meet them: real nodes, the real program, and what it prints and exits with.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "commands/desk.rs"]
mod desk;
#[path = "commands/document.rs"]
mod document;
#[path = "commands/following.rs"]
mod following;
#[path = "commands/identity.rs"]
mod identity;
#[path = "commands/keys.rs"]
mod keys;
#[path = "commands/local.rs"]
mod local;
#[path = "commands/moving.rs"]
mod moving;
#[path = "commands/operating.rs"]
mod operating;
#[path = "commands/pretender.rs"]
mod pretender;
#[path = "commands/terminal.rs"]
mod terminal;
