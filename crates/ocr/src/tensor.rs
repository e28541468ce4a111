//! What is given to a graph and comes back.

use socle_core::{Error, Kind, Result};

/// Numbers in row-major order. The first dimension of what is given to a graph is the number of pictures, which is 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

impl Tensor {
    /// A tensor of zeros for one picture: three colours, blue first, of so many rows and columns.
    pub(crate) fn picture(height: usize, width: usize) -> Self {
        Self { shape: vec![1, 3, height, width], values: vec![0.0; 3 * height * width] }
    }

    /// The last two dimensions.
    ///
    /// # Errors
    /// `InferenceFailed` when there are no two, or as many values as they say.
    pub(crate) fn table(&self) -> Result<(usize, usize)> {
        match self.shape.as_slice() {
            [.., rows, columns] if rows * columns == self.values.len() && *columns > 0 => Ok((*rows, *columns)),
            _ => Err(Error::new(Kind::InferenceFailed, "a graph returned something else than socle expects")
                .detail(format!("The shape of its output is {:?}.", self.shape))),
        }
    }
}

/// The graphs of a model of kind `ocr`. Each call runs one picture.
pub trait Graphs {
    /// How surely each pixel of a picture is within a line of text: as many rows and columns as the picture has.
    ///
    /// # Errors
    /// `InferenceFailed`.
    fn detect(&self, picture: Tensor) -> Result<Tensor>;

    /// How surely the piece of a line stands upright, and how surely on its head; `None` without such a graph.
    ///
    /// # Errors
    /// `InferenceFailed`.
    fn direction(&self, piece: Tensor) -> Result<Option<Tensor>>;

    /// For each step along a line, how surely it is each of the characters.
    ///
    /// # Errors
    /// `InferenceFailed`.
    fn recognize(&self, line: Tensor) -> Result<Tensor>;
}
