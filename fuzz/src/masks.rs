//! Run lengths, mask proposals, label maps, class lists.

use radapter_datasets::label_map::{self, Labelling};
use radapter_segmentation::class_list::{ClassList, Synonyms};
use radapter_segmentation::mask::{Mask, Rle};
use radapter_segmentation::proposals::{ProposalFiles, Wanted};

use crate::scratch;

/// The image whose proposals are read.
const IMAGE: Wanted<'static> = Wanted { name: "a.jpg", width: 4, height: 3, classes: None };

/// COCO's compressed run lengths, after two bytes of width and height: they compress to a text that is read as the same,
/// and the mask is the one of its runs.
pub fn rle(data: &[u8]) {
    let [width, height, text @ ..] = data else { return };
    // Larger masks would cost time and reach no other code.
    let (width, height) = (usize::from(width % 32), usize::from(height % 32));
    if let Some(mask) = Mask::new(
        width,
        height,
        (0..width * height).map(|at| text.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)).collect(),
    ) {
        assert_eq!(Rle::of(&mask).decode(), mask);
    }
    let Ok(text) = str::from_utf8(text) else { return };
    let Ok(rle) = Rle::from_compressed(width, height, text) else { return };
    assert_eq!(Rle::from_compressed(width, height, &rle.to_compressed()).unwrap(), rle);
    assert_eq!(Rle::new(width, height, rle.counts().to_vec()).unwrap(), rle);
    let mask = rle.decode();
    assert_eq!((mask.area(), mask.width(), mask.height()), (rle.area(), width, height));
    assert_eq!(rle.is_empty(), mask.is_empty());
}

/// Reads the proposals of [`IMAGE`]: each mask has its size.
fn proposals(files: Result<ProposalFiles, radapter_datasets::DatasetError>) {
    let Ok(files) = files else { return };
    let _ = files.check(["a.jpg", "b/c.png"].into_iter());
    for classes in [None, Some(2)] {
        let Ok(found) = files.of(Wanted { classes, ..IMAGE }) else { continue };
        assert_eq!(found.binary(0.5).len(), found.masks.len());
        for mask in found.binary(0.5).into_iter().flatten() {
            assert_eq!((mask.width(), mask.height()), (IMAGE.width, IMAGE.height));
            assert!(!mask.is_empty());
        }
        let _ = found.cover_all();
        if let Some(scores) = &found.class_scores {
            assert!((0..found.masks.len()).all(|mask| scores.row(mask).is_some()));
        }
    }
    let _ = files.notes();
}

/// COCO's results.
pub fn coco_results(data: &[u8]) {
    proposals(ProposalFiles::open(&scratch::file("results.json", data)));
}

/// Logits in numpy's archives.
pub fn npz(data: &[u8]) {
    scratch::file("npz/a.npz", data);
    proposals(ProposalFiles::open(&scratch::path("npz")));
}

/// Logits in safetensors files.
pub fn logits(data: &[u8]) {
    scratch::file("logits/a.safetensors", data);
    proposals(ProposalFiles::open(&scratch::path("logits")));
}

/// Label maps in PNG and TIFF: a value for each pixel.
pub fn label_map(data: &[u8]) {
    // Larger maps would cost time and reach no other code.
    if let Some(size) = data.get(16..24)
        && data.starts_with(b"\x89PNG")
        && (size[..2] != [0; 2] || size[4..6] != [0; 2] || size[2] > 1 || size[6] > 1)
    {
        return;
    }
    let path = scratch::file("map.png", data);
    let Ok(stored) = label_map::read_stored(&path) else { return };
    assert_eq!(stored.values.len(), stored.width * stored.height);
    let labelling = Labelling::new(5, Some(255), 0).unwrap();
    if let Ok(map) = labelling.apply(&path, stored) {
        assert_eq!(map.first_out_of_range(5).map(|(label, ..)| label).filter(|label| *label != 255), None);
    }
}

/// Class lists: every class has a text, and is found by its line.
pub fn class_list(data: &[u8]) {
    let path = scratch::file("classes.txt", data);
    let Ok(list) = ClassList::resolve(path.to_str().unwrap()) else { return };
    assert!(list.len() >= 2 && list.texts(Synonyms::Mean).iter().all(|texts| !texts.is_empty()));
    for (label, line) in list.lines().into_iter().enumerate() {
        assert_eq!(list.labels_of(&[line]).unwrap(), [label]);
    }
    assert_eq!(ClassList::from_lines(&list.lines()).unwrap().names(), list.names());
}
