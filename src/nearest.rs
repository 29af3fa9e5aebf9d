//! Names that somebody may have meant.

/// How many of the nearest known names an error offers.
const NAMES_MAX: usize = 3;
/// A longer name is no typing error, and the distance of two long names is slow to compute.
const NAME_BYTES_MAX: usize = 64;

/// The known names nearest to an unknown one, best first; none if nothing is similar.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    if name.len() > NAME_BYTES_MAX {
        return Vec::new();
    }
    let mut near: Vec<(usize, &'a str)> = known
        .into_iter()
        .filter(|known| known.len() <= NAME_BYTES_MAX)
        .map(|known| (edit_distance(&name, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(NAMES_MAX).map(|(_, known)| known).collect()
}

/// Levenshtein's distance in bytes, which is near enough for names in ASCII.
fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let substitute = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}
