//! Reads the tensors of a `model.safetensors` file (huggingface/safetensors, "Format"): the length of a JSON header, the
//! header, the numbers. The file is untrusted input.

use super::float16::{from_bfloat16, from_binary16};
use serde_json::{Map, Value};

/// Largest header in bytes. Those of a layer have a few hundred.
const MAX_HEADER_BYTES: usize = 1 << 20;

/// The tensors of a file.
#[derive(Debug)]
pub struct Tensors<'a> {
    header: Map<String, Value>,
    data: &'a [u8],
}

impl<'a> Tensors<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or("It is shorter than its header.")?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_HEADER_BYTES {
            return Err(format!("Its header has {length} bytes, the limit is {MAX_HEADER_BYTES}."));
        }
        let (header, data) = rest.split_at_checked(length).ok_or("It is shorter than its header.")?;
        match serde_json::from_slice(header) {
            Ok(Value::Object(header)) => Ok(Self { header, data }),
            Ok(_) => Err("Its header is no object.".to_string()),
            Err(error) => Err(format!("Its header is no JSON: {error}.")),
        }
    }

    /// The names of all tensors but `expected`.
    pub fn others(&self, expected: &[&str]) -> Vec<&str> {
        let names = self.header.keys().map(String::as_str);
        names.filter(|name| *name != "__metadata__" && !expected.contains(name)).collect()
    }

    /// The numbers of a tensor, which has to be of this shape, converted to 32 bits.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn floats(&self, name: &str, shape: &[u64]) -> Result<Vec<f32>, String> {
        let tensor = self.header.get(name).ok_or_else(|| format!("It holds no \"{name}\"."))?;
        let numbers =
            |key: &str| -> Option<Vec<u64>> { tensor.get(key)?.as_array()?.iter().map(Value::as_u64).collect() };
        let found = numbers("shape").unwrap_or_default();
        if found != shape {
            return Err(format!("\"{name}\" has the shape {found:?}, not {shape:?}."));
        }
        let offsets = numbers("data_offsets").unwrap_or_default();
        let range = match offsets.as_slice() {
            [start, end] => usize::try_from(*start).ok().zip(usize::try_from(*end).ok()),
            _ => None,
        };
        let bytes = range
            .and_then(|(start, end)| self.data.get(start..end))
            .ok_or_else(|| format!("\"{name}\" lies outside of the file."))?;
        let values = match tensor.get("dtype").and_then(Value::as_str) {
            Some("F64") => decode(bytes, |value| f64::from_le_bytes(value) as f32),
            Some("F32") => decode(bytes, f32::from_le_bytes),
            Some("F16") => decode(bytes, |value| from_binary16(u16::from_le_bytes(value))),
            Some("BF16") => decode(bytes, |value| from_bfloat16(u16::from_le_bytes(value))),
            other => return Err(format!("\"{name}\" is of the type {}.", other.unwrap_or("?"))),
        };
        let count = shape.iter().try_fold(1_u64, |count, length| count.checked_mul(*length));
        if count != Some(values.len() as u64) {
            return Err(format!("\"{name}\" has {} numbers, which is not its shape.", values.len()));
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(format!("\"{name}\" contains NaN or infinity."));
        }
        Ok(values)
    }
}

fn decode<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| number(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    #[test]
    fn numbers_of_each_width_are_read() {
        let header = r#"{"__metadata__": {"format": "pt"},
            "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "b": {"dtype": "F16", "shape": [1, 2], "data_offsets": [8, 12]},
            "c": {"dtype": "BF16", "shape": [1], "data_offsets": [12, 14]},
            "d": {"dtype": "F64", "shape": [1], "data_offsets": [14, 22]}}"#;
        let mut data = [1.5_f32, -2.0].map(f32::to_le_bytes).concat();
        data.extend([0x3800_u16, 0xc400, 0x4040].map(u16::to_le_bytes).concat());
        data.extend(7.0_f64.to_le_bytes());
        let bytes = file(header, &data);
        let tensors = Tensors::parse(&bytes).unwrap();
        assert_eq!(tensors.floats("a", &[2]).unwrap(), [1.5, -2.0]);
        assert_eq!(tensors.floats("b", &[1, 2]).unwrap(), [0.5, -4.0]);
        assert_eq!(tensors.floats("c", &[1]).unwrap(), [3.0]);
        assert_eq!(tensors.floats("d", &[1]).unwrap(), [7.0]);
        assert_eq!(tensors.others(&["a", "b", "c"]), ["d"]);
    }

    #[test]
    fn damage_is_an_error() {
        for (bytes, why) in [
            (vec![], "shorter"),
            (file("{", &[]), "no JSON"),
            (file("[]", &[]), "no object"),
            ([&u64::MAX.to_le_bytes()[..], b"{}"].concat(), "limit"),
            ([&9_u64.to_le_bytes()[..], b"{}"].concat(), "shorter"),
        ] {
            assert!(Tensors::parse(&bytes).unwrap_err().contains(why), "{why}");
        }
        let refused = |tensor: &str, data: &[u8], why: &str| {
            let bytes = file(&format!(r#"{{"a": {tensor}}}"#), data);
            let error = Tensors::parse(&bytes).unwrap().floats("a", &[2]).unwrap_err();
            assert!(error.contains(why), "{error}");
        };
        refused(r#"{"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}"#, &[0; 8], "shape");
        refused(r#"{"dtype": "F32", "shape": [2], "data_offsets": [0, 9]}"#, &[0; 8], "outside");
        refused(r#"{"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}"#, &[0; 8], "outside");
        refused(r#"{"dtype": "F32", "shape": [2], "data_offsets": [0, 7]}"#, &[0; 8], "1 numbers");
        refused(r#"{"dtype": "I8", "shape": [2], "data_offsets": [0, 2]}"#, &[0; 8], "type I8");
        refused(r#"{"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}"#, &[0xff; 8], "NaN");
        let bytes = file("{}", &[]);
        assert!(Tensors::parse(&bytes).unwrap().floats("a", &[2]).unwrap_err().contains("holds no"));
    }
}
