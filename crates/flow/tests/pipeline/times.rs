//! Times and counts at the ends of what they can be.

use alluvium_flow::{Batch, Headers};
use serde_json::json;

use crate::{file, pipeline, read, take};

#[test]
fn to_keep_as_many_versions_as_can_be_counted_retires_none() {
    let mut file = file();
    file["versions"] = json!({ "every": "1 records", "keep": "18446744073709551615 versions" });
    let mut pipeline = pipeline(&file);
    read(&mut pipeline, &["1,2,me,no", "3,4,me,yes", "5,6,me,no"]);
    assert_eq!(pipeline.registry().of("linear").unwrap().live.len(), 3);
}

#[test]
fn the_logs_own_time_stays_where_event_times_are() {
    let mut file = file();
    file["versions"] = json!({ "every": "1 h" });
    let mut pipeline = pipeline(&file);
    let mut batch = Batch::new();
    for (offset, time) in [-1, i64::MIN, i64::MAX, i64::MAX, i64::MAX, 5].into_iter().enumerate() {
        let value = format!("{offset},2,me,no");
        batch.push(offset as u64, time, None, Some(value.as_bytes()), Headers::default());
    }
    take(&mut pipeline, &batch);
    assert_eq!(pipeline.counters().time, Some(alluvium_flow::decode::TIME_MAX));
    // Due once, at the leap; not with each record from then on.
    assert_eq!(pipeline.registry().of("linear").unwrap().newest, 1);
}
