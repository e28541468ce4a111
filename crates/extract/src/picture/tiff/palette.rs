//! Pages whose samples are numbers of colours.

use super::view::{View, as_grey};
use super::{damaged, failed, on_ground, unknown};
use socle_core::Result;
use tiff::ColorType;
use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// Value of `PhotometricInterpretation` for numbers of colours.
const PALETTE: u16 = 3;
/// Bits of a number.
const BITS: [u8; 4] = [1, 2, 4, 8];

/// The colours of a page.
pub(super) struct Palette(Vec<[u8; 3]>);

impl Palette {
    /// The colours of the present page, whose samples are read as grey from here on; `None` if they are no numbers of colours.
    /// `at` is its place among the pages.
    ///
    /// # Errors
    /// [`socle_core::Kind::DamagedDocument`] if there are no colours, [`socle_core::Kind::NotSupported`] if there are more
    /// than a byte tells apart.
    pub(super) fn of(decoder: &mut Decoder<View<'_>>, at: usize) -> Result<Option<Self>> {
        let interpretation = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation).map_err(failed)?;
        if interpretation != Some(PALETTE) {
            return Ok(None);
        }
        as_grey(decoder, at)?;
        let bits = decoder.colortype().map_err(failed)?.bit_depth();
        if !BITS.contains(&bits) {
            return Err(unknown());
        }
        let map = decoder.find_tag_unsigned_vec::<u16>(Tag::ColorMap).map_err(failed)?.unwrap_or_default();
        // All reds, all greens, all blues.
        let each = map.len() / 3;
        if each == 0 {
            return Err(damaged("TIFF image", &"It lacks its colours."));
        }
        // Some programs write bytes in place of numbers of 16 bits.
        let shift = if map.iter().all(|value| *value < 256) { 0 } else { 8 };
        let part = |at: usize| map.get(at).map_or(0, |value| (value >> shift) as u8);
        let most = (1_usize << bits) - 1;
        let colour = |grey: usize| {
            let number = grey * most / 255;
            [0, 1, 2].map(|plane| if number < each { part(plane * each + number) } else { 0 })
        };
        Ok(Some(Self((0..256).map(colour).collect())))
    }

    /// Red, green and blue of the numbers that were read as grey, or as grey with opacity.
    ///
    /// # Errors
    /// [`socle_core::Kind::NotSupported`] for anything else.
    pub(super) fn pixels(&self, samples: &[u8], colours: ColorType) -> Result<Vec<u8>> {
        let colour = |grey: u8| self.0.get(usize::from(grey)).copied().unwrap_or_default();
        match colours {
            ColorType::Gray(_) => Ok(samples.iter().flat_map(|grey| colour(*grey)).collect()),
            ColorType::GrayA(_) => {
                let coloured = samples.chunks_exact(2).flat_map(|pixel| {
                    let [red, green, blue] = colour(pixel.first().copied().unwrap_or_default());
                    [red, green, blue, pixel.get(1).copied().unwrap_or_default()]
                });
                Ok(on_ground::<4>(&coloured.collect::<Vec<u8>>()))
            }
            _ => Err(unknown()),
        }
    }
}
