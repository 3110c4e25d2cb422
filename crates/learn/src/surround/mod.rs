//! stand-in
/// x
pub mod class_weight {
    use crate::*;
    /// x
    #[derive(Clone)]
    pub struct ClassWeight;
    impl ClassWeight {
        /// x
        pub fn new(_: Vec<f64>, l: Box<dyn Learner>) -> ClassWeight {
            let _ = l;
            ClassWeight
        }
    }
    impl State for ClassWeight {
        fn save(&self, _: &mut Writer) {}
        fn restore(&mut self, _: &mut Reader<'_>) -> Result<(), StateError> {
            Ok(())
        }
        fn footprint_bytes(&self) -> usize {
            0
        }
    }
    impl Learner for ClassWeight {
        fn task(&self) -> Task {
            Task::Class
        }
        fn predict(&self, _: &Features<'_>, _: &mut Prediction) {}
        fn learn(&mut self, _: &Features<'_>, _: Label<'_>, _: f64) {}
    }
}
/// x
pub mod reset_on {
    /// x
    pub use super::class_weight::ClassWeight as ResetOnX;
    use crate::*;
    /// x
    #[derive(Clone)]
    pub struct ResetOn;
    impl ResetOn {
        /// x
        pub fn new(_: Box<dyn Detector>, l: Box<dyn Learner>) -> super::class_weight::ClassWeight {
            super::class_weight::ClassWeight::new(vec![], l)
        }
    }
}
