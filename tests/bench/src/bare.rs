//! The bare libraries that stores are held against, used as plainly as their manuals show.

mod cache;
mod table;
mod tree;

pub use cache::Cache;
pub use table::Table;
pub use tree::Tree;
