//! Times and counts at the ends of what they can be.

use serde_json::json;

use crate::{file, pipeline, read};

#[test]
fn to_keep_as_many_versions_as_can_be_counted_retires_none() {
    let mut file = file();
    file["versions"] = json!({ "every": "1 records", "keep": "18446744073709551615 versions" });
    let mut pipeline = pipeline(&file);
    read(&mut pipeline, &["1,2,me,no", "3,4,me,yes", "5,6,me,no"]);
    assert_eq!(pipeline.registry().of("linear").unwrap().live.len(), 3);
}
