//! The project about itself.
