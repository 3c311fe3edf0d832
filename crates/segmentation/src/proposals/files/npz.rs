//! Arrays in `.npz` files.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use half::f16;
use npyz::{DType, NpyFile, Order};

use radapter_datasets::DatasetError;

use super::arrays::{Array, Arrays, MOST, unfit};
use super::{check_bytes, read_error, refuse_lfs_pointer};

/// Maximum length of an array's header, numpy's own limit: the header is a Python literal, which is parsed recursively.
const MOST_HEADER: u64 = 10_000;

/// Reads the arrays of a `numpy.savez` file, compressed or not.
pub(super) fn read(path: &Path) -> Result<Arrays, DatasetError> {
    refuse_lfs_pointer(path)?;
    let failed = read_error(path);
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let mut archive = zip::ZipArchive::new(file).map_err(|error| failed(std::io::Error::other(error)))?;
    Ok(Arrays { masks: member(path, &mut archive, "masks")?, scores: member(path, &mut archive, "scores")? })
}

fn member(
    path: &Path,
    archive: &mut zip::ZipArchive<BufReader<File>>,
    key: &'static str,
) -> Result<Option<Array>, DatasetError> {
    let failed = read_error(path);
    let member = match archive.by_name(&format!("{key}.npy")) {
        Ok(member) => member,
        Err(zip::result::ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(failed(std::io::Error::other(error))),
    };
    let (start, member) = preamble(member).map_err(failed)?;
    check_bytes(path, "a header of an array", header_bytes(start), MOST_HEADER)?;
    let file = NpyFile::new(Cursor::new(start).chain(member)).map_err(failed)?;
    let header = file.header();
    let expected = "floating point numbers, as float16, float32 or float64 of numpy, in C order";
    let wrong = |found: &str| unfit(path, key, expected, found);
    if header.order() == Order::Fortran && header.shape().len() > 1 {
        return Err(wrong("Fortran order (convert it with numpy.ascontiguousarray)"));
    }
    // The header gives the size, which is checked before anything is allocated.
    let bytes = header.shape().iter().try_fold(8_u64, |bytes, &length| bytes.checked_mul(length));
    check_bytes(path, "an array", bytes.unwrap_or(u64::MAX), MOST)?;
    let shape = header.shape().iter().map(|&length| length as usize).collect();
    let dtype = header.dtype();
    let code = match &dtype {
        DType::Plain(code) => code.to_string(),
        other => return Err(wrong(&other.descr())),
    };
    let values = match &code[1..] {
        "f2" => floats::<f16, _>(file, f32::from),
        "f4" => floats::<f32, _>(file, |value| value),
        "f8" => floats::<f64, _>(file, |value| value as f32),
        _ => return Err(wrong(&code)),
    };
    Ok(Some(Array { shape, values: values.map_err(failed)? }))
}

/// Reads the bytes of an array up to the length of its header.
fn preamble<R: Read>(mut member: R) -> std::io::Result<([u8; 12], R)> {
    let mut start = [0; 12];
    member.read_exact(&mut start)?;
    Ok((start, member))
}

/// The length that an array's header claims: two bytes in version 1, else four.
fn header_bytes(start: [u8; 12]) -> u64 {
    let [.., major, _, a, b, c, d] = start;
    if major == 1 { u16::from_le_bytes([a, b]).into() } else { u32::from_le_bytes([a, b, c, d]).into() }
}

fn floats<T: npyz::Deserialize, R: Read>(file: NpyFile<R>, float: impl Fn(T) -> f32) -> std::io::Result<Vec<f32>> {
    file.data::<T>().map_err(std::io::Error::other)?.map(|value| value.map(&float)).collect()
}
