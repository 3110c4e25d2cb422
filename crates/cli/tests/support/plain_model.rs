//! The example's linear model by hand: the components of `alluvium-learn`, put together in code,
//! without pipeline, ledger or settings file.

use std::collections::BTreeMap;

use alluvium_learn::{
    FeatureStep, Features, Label, LabelShape, Layout, Learner, Pair, Place, Prediction, Row, Scope,
    Shape, Slot, SlotKind, Texts, learners::LearnerConfig, math::hash64, steps::StepConfig,
    surround::ClassWeight,
};
use serde_json::{Value, json};

use super::plain_join::{Event, Payment, Record};

/// Countries that have a code of their own.
const COUNTRIES: u32 = 100;

/// Steps in an order in which each comes after those it reads.
fn steps() -> [(&'static str, Value); 8] {
    let window =
        |over: &str, make: Value| json!({ "window": { "by": "card", "over": over, "make": make } });
    let day = json!({
        "count": "count", "merchants": { "distinct": { "of": "merchant" } }, "spend": { "sum": "amount" }
    });
    [
        ("card_10min", window("10 min", json!({ "count": "count", "spend": { "sum": "amount" } }))),
        ("card_24h", window("24 h", day)),
        ("pulse", json!({ "window": { "over": "30 min", "make": { "count": "count" } } })),
        ("velocity", json!({ "ratio": { "of": ["card_10min.count", "card_24h.count"] } })),
        ("log", json!({ "log1p": { "of": ["amount", "card_10min.spend", "card_24h.spend"] } })),
        ("usual", json!({ "standardize": { "of": ["log.amount"], "by": "card" } })),
        (
            "scaled",
            json!({ "standardize": { "of": [
            "log", "usual", "velocity", "card_10min.count", "card_24h.count", "card_24h.merchants",
            "pulse",
        ] } }),
        ),
        ("pairs", json!({ "cross": { "of": ["merchant", "country"], "bits": 18 } })),
    ]
}

/// One model and the steps it uses.
pub(crate) struct Plain {
    steps: Vec<Box<dyn FeatureStep>>,
    /// Slots of fields.
    amount: usize,
    country: usize,
    present: usize,
    /// Dense slots the model sees, and the hashed block, if it sees it.
    slots: Vec<usize>,
    block: Option<usize>,
    learner: Box<dyn Learner>,
    codes: BTreeMap<String, f64>,
    values: Vec<f64>,
    blocks: Vec<Vec<Pair>>,
}

/// What a payment was answered, and what has to be kept of it to learn it later.
pub(crate) struct Kept {
    dense: Vec<f64>,
    sparse: Vec<Pair>,
    time: i64,
    /// The score it was answered with.
    pub(crate) score: f64,
}

impl Plain {
    /// A model by its settings, and the names it uses in their order.
    pub(crate) fn new(learner: Value, uses: &[&str], weight: f64) -> Plain {
        let label = LabelShape::Class { values_max: 2 };
        let mut layout = Layout::default();
        let amount = layout.add_dense("amount", "amount".into(), SlotKind::Number);
        let present = layout.add_dense("present", "present".into(), SlotKind::Number);
        let codes = SlotKind::Nominal { values: COUNTRIES + 1 };
        let country = layout.add_dense("country", "country".into(), codes);
        layout.add_id("card");
        layout.add_id("merchant");
        let build = |(name, config): (&str, Value)| {
            let config: StepConfig = serde_json::from_value(config).unwrap();
            config.build(&mut Scope::new(&mut layout, name, label)).unwrap()
        };
        let steps: Vec<Box<dyn FeatureStep>> = steps().into_iter().map(build).collect();
        let (mut slots, mut block, mut sparse_size) = (Vec::new(), None, 0);
        let mut dense = Vec::new();
        for column in uses.iter().flat_map(|name| layout.find(name)) {
            match column.place {
                Place::Dense { slot, kind } => {
                    slots.push(slot);
                    dense.push(Slot { name: column.name.clone(), kind });
                }
                Place::Sparse { block: index, size } => (block, sparse_size) = (Some(index), size),
                other => panic!("{other:?}"),
            }
        }
        let sparse_fields = u16::from(block.is_some());
        let shape = Shape { dense, sparse_size, sparse_fields, ids: Vec::new(), label };
        let learner: LearnerConfig = serde_json::from_value(learner).unwrap();
        let learner = ClassWeight::new(learner.build(&shape).unwrap(), vec![1.0, weight]).unwrap();
        let (values, blocks) = (vec![0.0; layout.dense], vec![Vec::new(); layout.blocks]);
        let (learner, codes) = (Box::new(learner), BTreeMap::new());
        Plain { steps, amount, country, present, slots, block, learner, codes, values, blocks }
    }

    /// Answers a payment; the steps see it, the model does not yet.
    pub(crate) fn answer(&mut self, payment: &Payment) -> Kept {
        let hash = |text: &str| hash64(text.as_bytes(), 0);
        let ids = [hash(&payment.card), hash(&payment.merchant)];
        self.values[self.amount] = payment.amount;
        self.values[self.present] = f64::from(u8::from(payment.is_present));
        let unknown = f64::from(COUNTRIES);
        let code = self.codes.get(&payment.country).copied().unwrap_or(unknown);
        self.values[self.country] = code;
        let (values, blocks) = (&mut self.values, &mut self.blocks);
        let mut row =
            Row { values, blocks, ids: &ids, texts: Texts::default(), time: payment.time };
        self.steps.iter().for_each(|step| step.apply(&mut row));
        let dense: Vec<f64> = self.slots.iter().map(|slot| row.values[*slot]).collect();
        let sparse = self.block.map_or(Vec::new(), |block| row.blocks[block].clone());
        let mut kept = Kept { dense, sparse, time: payment.time, score: 0.0 };
        let mut answer = Prediction::default();
        self.learner.predict(&kept.features(), &mut answer);
        kept.score = answer.probability(1);
        self.steps.iter_mut().for_each(|step| step.observe(&row));
        // A name gets its code only when the record was answered.
        let next = self.codes.len() as f64;
        self.codes.entry(payment.country.clone()).or_insert(next);
        kept
    }

    /// Learns a payment that was answered before.
    pub(crate) fn learn(&mut self, kept: &Kept, is_fraud: bool) {
        let label = Label::Class(u32::from(is_fraud));
        self.learner.learn(&kept.features(), label, 1.0);
        self.steps.iter_mut().for_each(|step| step.observe_label(label));
    }

    /// All that happens, in its order: the score of each payment, by its place.
    pub(crate) fn run(&mut self, order: &[Record], events: &[Event]) -> BTreeMap<usize, f64> {
        let (mut kept, mut scores) = (BTreeMap::new(), BTreeMap::new());
        for event in events {
            match *event {
                Event::Answered(place) => {
                    let Record::Payment(payment) = &order[place] else { panic!("no payment") };
                    let answered = self.answer(payment);
                    scores.insert(place, answered.score);
                    kept.insert(place, answered);
                }
                Event::Learned(place, is_fraud) => {
                    let answered = kept.remove(&place).expect("a payment is learned once");
                    self.learn(&answered, is_fraud);
                }
            }
        }
        scores
    }
}

impl Kept {
    fn features(&self) -> Features<'_> {
        Features { dense: &self.dense, sparse: &self.sparse, ids: &[], time: self.time }
    }
}
