//! The example of a backend from outside of the crate works.

use std::error::Error;

#[path = "../examples/own_backend.rs"]
mod example;

#[test]
fn a_backend_of_ones_own_is_registered_proved_and_used() -> Result<(), Box<dyn Error>> {
    example::run()
}
