//! A checkpoint converted to the other format and back is bit-identical.

use radapter::clip::checkpoint::{Checkpoint, Format, SaveOptions};

use crate::support::{Folder, golden};

#[test]
fn both_formats_round_trip_bit_for_bit() {
    let Some(golden) = golden() else { return };
    let folder = Folder::new();
    for (form, there, back) in
        [("open_clip", Format::HuggingFace, Format::OpenClip), ("hf", Format::OpenClip, Format::HuggingFace)]
    {
        let first = Checkpoint::open(golden.join(form), None).unwrap();
        let (other, same) = (folder.join(&format!("{form}-there")), folder.join(&format!("{form}-back")));
        first.save(&other, &SaveOptions::new(there)).unwrap();
        let between = Checkpoint::open(&other, None).unwrap();
        assert_eq!((between.format, &between.config), (there, &first.config));
        assert_eq!(between.state, first.state, "{form}");
        between.save(&same, &SaveOptions::new(back)).unwrap();
        let last = Checkpoint::open(&same, None).unwrap();
        assert_eq!((last.format, &last.config, last.dtype), (first.format, &first.config, first.dtype));
        assert_eq!(last.state, first.state, "{form}");
    }
}
