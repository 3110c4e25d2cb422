//! Where batches, buffers, cuts and turns end changes nothing of what is learned.

#[test]
fn boundaries_change_nothing() {
    for seed in 0..150 {
        alluvium_sim::boundaries(seed).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}
