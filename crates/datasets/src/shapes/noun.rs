//! Class nouns: the possible subjects of a scene.

/// Shape in a scene. The discriminant is the class index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub enum Shape {
    Arrow,
    Bolt,
    Circle,
    Crescent,
    Cross,
    Cup,
    Diamond,
    Drop,
    Fish,
    Flower,
    Gear,
    Heart,
    Hexagon,
    House,
    Key,
    Leaf,
    Mushroom,
    Oval,
    Pentagon,
    Rectangle,
    Ring,
    Square,
    Star,
    Triangle,
}

impl Shape {
    /// In class order (which is alphabetical, so that it is also the order of class folders).
    pub const ALL: [Self; 24] = [
        Self::Arrow,
        Self::Bolt,
        Self::Circle,
        Self::Crescent,
        Self::Cross,
        Self::Cup,
        Self::Diamond,
        Self::Drop,
        Self::Fish,
        Self::Flower,
        Self::Gear,
        Self::Heart,
        Self::Hexagon,
        Self::House,
        Self::Key,
        Self::Leaf,
        Self::Mushroom,
        Self::Oval,
        Self::Pentagon,
        Self::Rectangle,
        Self::Ring,
        Self::Square,
        Self::Star,
        Self::Triangle,
    ];

    /// Returns the noun in captions and class names.
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// Returns the class index: the position in [`Shape::ALL`].
    pub fn class(self) -> usize {
        self as usize
    }
}

const NAMES: [&str; 24] = [
    "arrow",
    "bolt",
    "circle",
    "crescent",
    "cross",
    "cup",
    "diamond",
    "drop",
    "fish",
    "flower",
    "gear",
    "heart",
    "hexagon",
    "house",
    "key",
    "leaf",
    "mushroom",
    "oval",
    "pentagon",
    "rectangle",
    "ring",
    "square",
    "star",
    "triangle",
];

/// Returns the class names in class order.
pub fn class_names() -> &'static [&'static str] {
    &NAMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_in_the_order_of_their_folders() {
        assert!(NAMES.is_sorted());
        for (class, shape) in Shape::ALL.into_iter().enumerate() {
            assert_eq!(shape.class(), class);
            assert_eq!(shape.name(), format!("{shape:?}").to_lowercase());
        }
    }
}
