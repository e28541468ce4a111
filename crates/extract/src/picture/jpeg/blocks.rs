//! The blocks in the data of a JPEG that was coded in one go: they are only passed over.

/// For each of all beginnings of 16 bits, the length of the code that it starts with, and what that means.
#[derive(Clone)]
pub(super) struct Code(Vec<(u8, u8)>);

impl Code {
    /// The code with so many words of each length from 1 to 16.
    pub(super) fn of(counts: &[u8], symbols: &[u8]) -> Self {
        let (mut table, mut symbols) = (Vec::with_capacity(1 << 16), symbols.iter());
        for (length, count) in (1_u8..).zip(counts) {
            for symbol in symbols.by_ref().take(usize::from(*count)) {
                table.resize(table.len() + (1_usize << (16 - length)), (length, *symbol));
            }
        }
        table.resize(1 << 16, (0, 0));
        Self(table)
    }
}

/// The length of the data of a scan: up to a marker that is none of those within it.
pub(super) fn scan_length(data: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = data.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) {
        at += found;
        match data.get(at + 1) {
            Some(0 | 0xd0..=0xd7 | 0xff) => at += 1,
            Some(_) => return at,
            None => break,
        }
    }
    data.len()
}

/// Reads the data of a scan bit by bit, up to the next marker.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    bits: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn of(data: &'a [u8]) -> Self {
        Self { data, at: 0, bits: 0, count: 0 }
    }

    /// What was not read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    fn fill(&mut self) {
        while self.count <= 48 {
            let byte = match self.rest() {
                [0xff, 0, ..] => {
                    self.at += 1;
                    0xff
                }
                [0xff, ..] | [] => return,
                [byte, ..] => *byte,
            };
            self.at += 1;
            self.bits = self.bits << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// Passes over so many bits; `None` if there are fewer.
    fn skip(&mut self, count: u8) -> Option<()> {
        if self.count < u32::from(count) {
            self.fill();
        }
        self.count = self.count.checked_sub(u32::from(count))?;
        Some(())
    }

    fn symbol(&mut self, code: &Code) -> Option<u8> {
        if self.count < 16 {
            self.fill();
        }
        let begin = if self.count >= 16 { self.bits >> (self.count - 16) } else { self.bits << (16 - self.count) };
        let (length, symbol) = code.0.get((begin & 0xffff) as usize).copied().filter(|(length, _)| *length > 0)?;
        self.skip(length)?;
        Some(symbol)
    }

    /// Passes over a block of 64 coefficients.
    fn block(&mut self, (means, others): (&Code, &Code)) -> Option<()> {
        let length = self.symbol(means).filter(|length| *length <= 16)?;
        self.skip(length)?;
        let mut at = 1;
        while at < 64 {
            let symbol = self.symbol(others)?;
            match (symbol >> 4, symbol & 15) {
                (15, 0) => at += 16,
                (_, 0) => break,
                (zeros, length) => {
                    at += zeros + 1;
                    self.skip(length)?;
                }
            }
        }
        (at <= 64).then_some(())
    }

    /// Goes to the data after the next mark of a restart. Returns whether there is one.
    fn restart(&mut self) -> bool {
        (self.bits, self.count) = (0, 0);
        let next = self.rest().windows(2).position(|pair| matches!(pair, [0xff, 0xd0..=0xd7]));
        self.at = next.map_or(self.data.len(), |next| self.at + next + 2);
        next.is_some()
    }

    /// The number of units of blocks that are missing of `count`, where the data begin anew after each `interval`.
    pub(super) fn missing(&mut self, unit: &[(&Code, &Code)], count: usize, interval: usize) -> usize {
        let interval = if interval == 0 { count } else { interval };
        let (mut at, mut missing) = (0, 0);
        while at < count {
            let end = (at + interval).min(count);
            let read = (at..end).take_while(|_| unit.iter().all(|codes| self.block(*codes).is_some())).count();
            missing += end - at - read;
            at = end;
            if at < count && !self.restart() {
                return missing + count - at;
            }
        }
        missing
    }
}
