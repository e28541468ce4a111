//! Columns of a row group in memory: values, and the levels that say where a list begins and what is NULL.

/// A column with NULLs.
#[derive(Debug)]
pub struct Optional<T> {
    /// The values that are not NULL.
    pub values: Vec<T>,
    /// 1 for a value, 0 for NULL.
    pub levels: Vec<i16>,
}

// Not derived: that would require a default of `T`.
impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self { values: Vec::new(), levels: Vec::new() }
    }
}

impl<T> Optional<T> {
    /// Appends a row.
    pub fn push(&mut self, value: Option<T>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    /// The rows.
    pub fn into_rows(self) -> impl Iterator<Item = Option<T>> {
        let mut values = self.values.into_iter();
        self.levels.into_iter().map(move |level| if level == 1 { values.next() } else { None })
    }
}

/// A column of lists.
#[derive(Debug)]
pub struct Lists<T> {
    /// The elements of all lists.
    pub values: Vec<T>,
    /// 1 for an element, 0 for a list without any.
    pub definition: Vec<i16>,
    /// 0 where a list begins, 1 for its further elements.
    pub repetition: Vec<i16>,
}

// Not derived, as above.
impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { values: Vec::new(), definition: Vec::new(), repetition: Vec::new() }
    }
}

impl<T> Lists<T> {
    /// Appends a row.
    pub fn push(&mut self, list: impl IntoIterator<Item = T>) {
        let before = self.values.len();
        self.values.extend(list);
        let count = self.values.len() - before;
        self.definition.extend(std::iter::repeat_n(i16::from(count > 0), count.max(1)));
        self.repetition.push(0);
        self.repetition.extend(std::iter::repeat_n(1, count.saturating_sub(1)));
    }

    /// The rows; an element before the first list is left out.
    pub fn into_rows(self) -> Vec<Vec<T>> {
        let mut rows: Vec<Vec<T>> = Vec::new();
        let mut values = self.values.into_iter();
        for (definition, repetition) in self.definition.into_iter().zip(self.repetition) {
            if repetition == 0 {
                rows.push(Vec::new());
            }
            if definition == 1
                && let Some(row) = rows.last_mut()
            {
                row.extend(values.next());
            }
        }
        rows
    }
}
