//! The description of an endpoint: a server that a superuser has registered, and that text of this database may be sent
//! to. Which addresses and URLs it may have, what is written to it, and how its answers are read: all without a socket.

pub mod address;
pub mod dialect;
pub mod lines;
pub mod retry;
pub mod served;
mod spec;
pub mod stop;
pub mod url;

pub use dialect::Dialect;
pub use served::ServedModel;
pub use spec::{CorpusPolicy, EndpointSpec, estimated_tokens, refusal};
