//! Records that hurt other systems, each with its verdict.

use alluvium_flow::decode::{
    Field, Format, Kind, Path, Plan, RECORD_BYTES_MAX, Reason, Refusal, Rows, TimeField, TimeUnit,
    build,
};
use alluvium_flow::{Batch, Headers};

use crate::{ANY, Good, decode, field, key, row};

/// A verdict: good, or the reason and the field's name; an empty name is the record as a whole.
type Verdict = Result<(), (Reason, &'static str)>;

fn verdict(plan: &Plan, found: &Result<Good, Refusal>) -> Result<(), (Reason, String)> {
    let name = |field: u16| match plan.fields.get(usize::from(field)) {
        Some(field) => field.name.clone(),
        None if usize::from(field) == plan.fields.len() => "label".into(),
        None => "time".into(),
    };
    match found {
        Ok(_) => Ok(()),
        Err(Refusal { reason, field }) => Err((*reason, field.map(name).unwrap_or_default())),
    }
}

fn check(plan: &Plan, cases: &[(&str, Vec<u8>, Verdict)]) {
    for (title, value, expected) in cases {
        let found = decode(plan, std::slice::from_ref(value), |_| 1);
        let expected = expected.map_err(|(reason, name)| (reason, name.to_string()));
        assert_eq!(verdict(plan, &found[0]), expected, "{title}");
    }
    // Together they get the verdicts that each gets alone.
    let values: Vec<Vec<u8>> = cases.iter().map(|case| case.1.clone()).collect();
    for (found, case) in decode(plan, &values, |_| values.len()).iter().zip(cases) {
        let expected = case.2.map_err(|(reason, name)| (reason, name.to_string()));
        assert_eq!(verdict(plan, found), expected, "{}, among others", case.0);
    }
}

fn time(unit: TimeUnit) -> Option<TimeField> {
    Some(TimeField { path: key("t"), unit, ahead_max: u64::MAX })
}

fn json(fields: Vec<Field>) -> Plan {
    Plan { format: Format::Json, fields, label: None, time: None }
}

fn csv(columns: &[&str], fields: Vec<Field>) -> Plan {
    let columns = columns.iter().map(|name| name.to_string()).collect();
    Plan { format: Format::Csv { columns, delimiter: b',' }, fields, label: None, time: None }
}

/// `[[[...]]]`, so deep.
fn nested(depth: usize) -> String {
    format!(r#"{{"x":1,"deep":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1))
}

fn many_keys(count: usize) -> String {
    let keys: String = (1..count).map(|key| format!(r#","k{key}":0"#)).collect();
    format!(r#"{{"x":1{keys}}}"#)
}

fn many_elements(count: usize) -> String {
    format!(r#"{{"x":1,"free":[0{}]}}"#, ",0".repeat(count - 1))
}

fn utf16(text: &str, mark: bool) -> Vec<u8> {
    let mark = mark.then_some(0xfeff_u16);
    mark.into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// A kilobyte of noise that is the same each time.
fn noise() -> Vec<u8> {
    (0..1024).map(|at| alluvium_learn::math::random_bits(9, at) as u8).collect()
}

#[test]
fn poisoned_json_gets_its_verdict() {
    use Reason::*;
    let plan = json(vec![field("x", key("x"), ANY, false)]);
    let whole = |reason| Err((reason, ""));
    let with = |x: &str| format!(r#"{{"x":{x}}}"#).into_bytes();
    let padded = |length: usize| {
        let mut value = with("1");
        value.resize(length, b' ');
        value
    };
    check(
        &plan,
        &[
            ("good", with("1"), Ok(())),
            ("white space", b" \t\r\n{ \"x\" :\n1 } \n".to_vec(), Ok(())),
            ("empty", vec![], whole(Empty)),
            ("one byte", b"{".to_vec(), whole(Malformed)),
            ("noise", noise(), whole(NotUtf8)),
            ("only white space", b" \n".to_vec(), whole(Malformed)),
            ("an array", b"[1]".to_vec(), whole(WrongKind)),
            ("a number", b"5".to_vec(), whole(WrongKind)),
            ("null", b"null".to_vec(), whole(WrongKind)),
            ("truncated", br#"{"x":1"#.to_vec(), whole(Malformed)),
            ("two records", br#"{"x":1}{"x":1}"#.to_vec(), whole(Malformed)),
            ("trailing garbage", br#"{"x":1}x"#.to_vec(), whole(Malformed)),
            ("trailing comma", br#"{"x":1,}"#.to_vec(), whole(Malformed)),
            ("leading comma", br#"{,"x":1}"#.to_vec(), whole(Malformed)),
            ("no colon", br#"{"x" 1}"#.to_vec(), whole(Malformed)),
            ("bare key", br#"{x:1}"#.to_vec(), whole(Malformed)),
            ("a comment", br#"{"x":1/**/}"#.to_vec(), whole(Malformed)),
            ("64 deep", nested(64).into(), Ok(())),
            ("65 deep", nested(65).into(), whole(TooComplex)),
            ("10,000 deep", nested(10_000).into(), whole(TooComplex)),
            ("never closed", "[".repeat(100_000).into(), whole(TooComplex)),
            ("10,000 keys", many_keys(10_000).into(), Ok(())),
            ("10,001 keys", many_keys(10_001).into(), whole(TooComplex)),
            ("100,000 keys", many_keys(80_000).into(), whole(TooComplex)),
            ("100,000 elements", many_elements(100_000).into(), Ok(())),
            ("100,001 elements", many_elements(100_001).into(), whole(TooComplex)),
            ("500,000 elements", many_elements(500_000).into(), whole(TooComplex)),
            ("1 MiB", padded(RECORD_BYTES_MAX), Ok(())),
            ("beyond 1 MiB", padded(RECORD_BYTES_MAX + 1), whole(TooLarge)),
        ],
    );
}

#[test]
fn poisoned_keys_and_texts_of_json_get_their_verdict() {
    use Reason::*;
    let plan = json(vec![field("x", key("x"), ANY, false)]);
    let whole = |reason| Err((reason, ""));
    let free = |free: &str| format!(r#"{{"x":1,"free":{free}}}"#).into_bytes();
    check(
        &plan,
        &[
            ("a key twice", br#"{"x":1,"x":1}"#.to_vec(), whole(DuplicateKey)),
            ("twice, once escaped", br#"{"x":1,"\u0078":1}"#.to_vec(), whole(DuplicateKey)),
            ("unread twice", br#"{"u":1,"x":1,"u":2}"#.to_vec(), whole(DuplicateKey)),
            (
                "unread twice, escaped",
                br#"{"x":1,"\n":1,"\u000a":1}"#.to_vec(),
                whole(DuplicateKey),
            ),
            ("twice, deep down", free(r#"[{"a":{"b":1,"c":1,"b":1}}]"#), whole(DuplicateKey)),
            ("twice, in different objects", free(r#"[{"x":1},{"x":1}]"#), Ok(())),
            (
                "twice, among many",
                many_keys(40).replace("k17\"", "k5\"").into(),
                whole(DuplicateKey),
            ),
            ("bad UTF-8 where nobody reads", b"{\"x\":1,\"f\":\"\xff\"}".to_vec(), whole(NotUtf8)),
            ("bad UTF-8 in a key", b"{\"x\":1,\"\xc3\":1}".to_vec(), whole(NotUtf8)),
            ("a surrogate in UTF-8", b"{\"x\":1,\"f\":\"\xed\xa0\x80\"}".to_vec(), whole(NotUtf8)),
            ("half a pair", free(r#""\ud800""#), whole(Malformed)),
            ("the other half", free(r#""\udc00""#), whole(Malformed)),
            ("two first halves", free(r#""\ud800\ud800""#), whole(Malformed)),
            ("a pair", free(r#""\ud83d\ude00""#), Ok(())),
            ("an unknown escape", free(r#""\x41""#), whole(Malformed)),
            ("a control character", b"{\"x\":1,\"f\":\"\n\"}".to_vec(), whole(Malformed)),
            ("a byte order mark", b"\xef\xbb\xbf{\"x\":1}".to_vec(), whole(Malformed)),
            ("UTF-16", utf16(r#"{"x":1}"#, true), whole(NotUtf8)),
            ("UTF-16 without a mark", utf16(r#"{"x":1}"#, false), whole(Malformed)),
            ("a magic byte", b"\0\0\0\0\x01{\"x\":1}".to_vec(), whole(Malformed)),
            ("900 KB of text", free(&format!("{:?}", "y".repeat(900_000))), Ok(())),
            ("log injection", free(r#""\u001b[31m\r\nERROR %s%n""#), Ok(())),
            ("gzip", b"\x1f\x8b\x08\0\0\0\0\0".to_vec(), whole(NotUtf8)),
        ],
    );
}

#[test]
fn poisoned_numbers_of_json_get_their_verdict() {
    use Reason::*;
    let plan = json(vec![field("x", key("x"), ANY, false)]);
    let whole = |reason| Err((reason, ""));
    let of_x = |reason| Err((reason, "x"));
    let with = |x: &str| format!(r#"{{"x":{x}}}"#).into_bytes();
    let free = |free: &str| format!(r#"{{"x":1,"free":{free}}}"#).into_bytes();
    check(
        &plan,
        &[
            ("1e400", with("1e400"), of_x(NotFinite)),
            ("1e400 where nobody reads", free("1e400"), Ok(())),
            ("1e-400", with("1e-400"), Ok(())),
            ("NaN", with("NaN"), whole(Malformed)),
            ("NaN as a string", with(r#""NaN""#), of_x(WrongKind)),
            ("a number as a string", with(r#""12""#), of_x(WrongKind)),
            ("an object", with("{}"), of_x(WrongKind)),
            ("an array for a number", with("[1]"), of_x(WrongKind)),
            ("true", with("true"), of_x(WrongKind)),
            ("null for a number", with("null"), of_x(Missing)),
            ("nothing", b"{}".to_vec(), of_x(Missing)),
            ("beyond i64", with("9223372036854775808"), Ok(())),
            ("beyond u64", with("99999999999999999999999"), Ok(())),
            ("hexadecimal", with("0x1"), whole(Malformed)),
            ("a leading zero", with("01"), whole(Malformed)),
            ("a plus", with("+1"), whole(Malformed)),
            ("no digit before the point", with(".5"), whole(Malformed)),
            ("no digit after the point", with("1."), whole(Malformed)),
            ("no exponent", with("1e"), whole(Malformed)),
            ("only a minus", with("-"), whole(Malformed)),
        ],
    );
}

#[test]
fn poisoned_csv_gets_its_verdict() {
    use Reason::*;
    let text = Kind::Text { bytes_max: 1000 };
    let fields = vec![field("x", key("x"), ANY, false), field("s", key("s"), text, false)];
    let plan = csv(&["x", "s", "_"], fields);
    let whole = |reason| Err((reason, ""));
    let of = |name, reason| Err((reason, name));
    let long = "y".repeat(RECORD_BYTES_MAX);
    let case = |title, value: &str, verdict| (title, value.as_bytes().to_vec(), verdict);
    check(
        &plan,
        &[
            case("good", "1,a,", Ok(())),
            case("a line end", "1,a,\n", Ok(())),
            case("a return", "1,a,\r\n", Ok(())),
            case("old line ends", "1,a,\r", Ok(())),
            case("empty", "", whole(Empty)),
            case("an empty line", "\r\n", whole(Empty)),
            case("one byte", ",", whole(ColumnCount)),
            ("noise", noise(), whole(NotUtf8)),
            case("too few columns", "1,a", whole(ColumnCount)),
            case("too many columns", "1,a,b,", whole(ColumnCount)),
            case("100,000 columns", &"1,".repeat(100_000), whole(ColumnCount)),
            case("two records", "1,a,b\n1,a,b", whole(Malformed)),
            case("two line ends", "1,a,b\n\n", whole(Malformed)),
            case("a return within", "1,a\rb,c", whole(Malformed)),
            case("a quoted line end", "1,\"a\r\n\",b", Ok(())),
            case("a quoted delimiter", "1,\"a,b\",c", Ok(())),
            case("a doubled quote", "1,\"a\"\"b\",c", Ok(())),
            case("a quoted number", "\"1\",a,b", Ok(())),
            case("a quote within a cell", "1,5\" pipe,b", Ok(())),
            case("a quote that never ends", "1,\"a,b", whole(Malformed)),
            case("text behind a quote", "1,\"a\"b,c", whole(Malformed)),
            case("only a quote", "\"", whole(Malformed)),
            case("unread, never ends", "1,a,\"", whole(Malformed)),
            case("a NUL", "1,a\0,b", whole(Malformed)),
            case("a byte order mark", "\u{feff}1,a,b", whole(Malformed)),
            ("UTF-16", utf16("1,a,b", true), whole(NotUtf8)),
            ("UTF-16 without a mark", utf16("1,a,b", false), whole(Malformed)),
            ("bad UTF-8 where nobody reads", b"1,a,\xff".to_vec(), whole(NotUtf8)),
            ("bad UTF-8 before other faults", b"\xff,\"".to_vec(), whole(NotUtf8)),
            case("1e400", "1e400,a,b", of("x", NotFinite)),
            case("nan", "nan,a,b", of("x", NotFinite)),
            case("-Infinity", "-Infinity,a,b", of("x", NotFinite)),
            case("a word", "one,a,b", of("x", WrongKind)),
            case("hexadecimal", "0x1p3,a,b", of("x", WrongKind)),
            case("two numbers", "1 2,a,b", of("x", WrongKind)),
            case("a decimal comma", "\"1,5\",a,b", of("x", WrongKind)),
            case("spaces", " 1\t,a,b", Ok(())),
            case("a plus", "+1,a,b", Ok(())),
            case("a bare point", ".,a,b", of("x", WrongKind)),
            case("beyond i64", "9223372036854775808,a,b", Ok(())),
            case("2^53 + 1", "9007199254740993,a,b", Ok(())),
            case("an empty number", ",a,b", of("x", Missing)),
            case("a blank number", "  ,a,b", of("x", Missing)),
            case("an empty text", "1,,b", of("s", Missing)),
            case("a quoted empty text", "1,\"\",b", of("s", Missing)),
            case("a blank text", "1, ,b", Ok(())),
            case("a long text", &format!("1,{},b", "y".repeat(1001)), of("s", TooLarge)),
            case("1 MiB", &format!("1,a,{}", &long[4..]), Ok(())),
            case("beyond 1 MiB", &format!("1,a,{}", &long[3..]), whole(TooLarge)),
            case("the first field of two is named", "x,,b", of("x", WrongKind)),
            case("the record before its fields", "x,", whole(ColumnCount)),
            case("log injection", "1,\x1b[31mERROR %s%n,b", Ok(())),
        ],
    );
}

#[test]
fn the_first_field_of_the_plan_is_named_whatever_the_order_in_the_record() {
    let fields = vec![field("b", key("b"), ANY, false), field("a", key("a"), ANY, false)];
    let expected = Err((Reason::WrongKind, "b"));
    let json = json(fields.clone());
    for value in [r#"{"a":null,"b":""}"#, r#"{"b":"","a":null}"#, r#"{"b":""}"#] {
        check(&json, &[("json", value.into(), expected)]);
    }
    check(&csv(&["a", "b"], fields.clone()), &[("csv", b",z".to_vec(), expected)]);
    check(&csv(&["b", "a"], fields), &[("csv", b"z,".to_vec(), expected)]);
}

#[test]
fn times_that_cannot_be_are_refused() {
    let bad = Err((Reason::BadTime, "time"));
    let mut plan = json(vec![]);
    plan.time = time(TimeUnit::Milliseconds);
    let at = |text: &str| format!(r#"{{"t":{text}}}"#).into_bytes();
    check(
        &plan,
        &[
            ("1970", at("0"), Ok(())),
            ("negative", at("-1"), bad),
            ("2262", at("9223372036854"), Ok(())),
            ("beyond 2262", at("9223372036855"), bad),
            ("nanoseconds", at("1700000000000000000"), bad),
            ("1e400", at("1e400"), bad),
            ("a string", at(r#""1700000000000""#), bad),
            ("null", at("null"), Err((Reason::Missing, "time"))),
            ("nothing", b"{}".to_vec(), Err((Reason::Missing, "time"))),
        ],
    );
    plan.time = time(TimeUnit::Rfc3339);
    check(
        &plan,
        &[
            ("a date", at(r#""2026-11-21T13:00:00+02:00""#), Ok(())),
            ("an escaped plus", at(r#""2026-11-21T13:00:00\u002b02:00""#), Ok(())),
            ("no offset", at(r#""2026-11-21T13:00:00""#), bad),
            ("a number", at("1700000000000"), bad),
        ],
    );
}

#[test]
fn a_time_is_held_to_the_logs_own() {
    let mut plan = json(vec![]);
    plan.time = Some(TimeField { path: key("t"), unit: TimeUnit::Seconds, ahead_max: 1_500 });
    let mut batch = Batch::new();
    let cases: &[(i64, &str, Result<i64, Reason>)] = &[
        (10_000, "11.5", Ok(11_500)),
        (10_000, "11.501", Err(Reason::Ahead)),
        (10_000, "4102444800", Err(Reason::Ahead)),
        (10_000, "0", Ok(0)),
        (0, "1.501", Err(Reason::Ahead)),
        // The log has no time for it.
        (-1, "4102444800", Ok(4_102_444_800_000)),
        (i64::MAX, "4102444800", Ok(4_102_444_800_000)),
        (10_000, "9223372036855", Err(Reason::BadTime)),
    ];
    for (logged, time, _) in cases {
        let value = format!(r#"{{"t":{time}}}"#);
        batch.push(0, *logged, None, Some(value.as_bytes()), Headers::default());
    }
    let mut rows = Rows::default();
    build(&plan).decode(0, &batch, &mut rows);
    for (index, (logged, time, expected)) in cases.iter().enumerate() {
        let found = row(&plan, &rows, index).map(|good| good.time);
        let expected = expected.map_err(|reason| Refusal { reason, field: Some(1) });
        assert_eq!(found, expected, "{time} at {logged}");
    }
    assert_eq!(rows.times[2], 4_102_444_800_000, "what it was refused for is told");
}

#[test]
fn gaps_stand_where_values_are_bad_or_missing() {
    let text = Kind::Text { bytes_max: 3 };
    let bounded = Kind::Number { min: 0.0, max: 1.0 };
    let fields = |gaps| {
        vec![
            field("x", key("x"), bounded.clone(), gaps),
            field("f", key("f"), Kind::Numbers { count: 2 }, gaps),
            field("g", key("g"), Kind::Flag, gaps),
            field("s", key("s"), text.clone(), gaps),
        ]
    };
    let plan = json(fields(true));
    let none = [f64::NAN; 4];
    let cases: &[(&str, [f64; 4], Option<&str>)] = &[
        (r#"{"x":0.5,"f":[1,2],"g":true,"s":"abc"}"#, [0.5, 1.0, 2.0, 1.0], Some("abc")),
        ("{}", none, None),
        (r#"{"x":null,"f":null,"g":null,"s":null}"#, none, None),
        (r#"{"x":2,"f":[1],"g":2,"s":"abcd"}"#, none, None),
        (r#"{"x":"0","f":[1,2,3],"g":"true","s":{}}"#, none, None),
        (r#"{"x":1e400,"f":7,"g":1.0,"s":[]}"#, none, None),
        (r#"{"x":1,"f":[null,2],"g":0,"s":""}"#, [1.0, f64::NAN, 2.0, 0.0], Some("")),
        (
            r#"{"x":-0.0,"f":["1",1e400],"g":0,"s":1.5}"#,
            [-0.0, f64::NAN, f64::NAN, 0.0],
            Some("1.5"),
        ),
    ];
    for (value, numbers, text) in cases {
        let found = decode(&plan, &[value.as_bytes().to_vec()], |_| 1);
        let found = found[0].as_ref().unwrap();
        let bits = numbers.map(f64::to_bits);
        assert_eq!(
            (found.numbers.as_slice(), &found.texts[0].as_deref()),
            (&bits[..], text),
            "{value}"
        );
    }
    let plan = json(fields(false));
    let value = |f: &str| format!(r#"{{"x":1,"f":{f},"g":0,"s":""}}"#).into_bytes();
    check(
        &plan,
        &[
            ("two", value("[1,2]"), Ok(())),
            ("one", value("[1]"), Err((Reason::WrongKind, "f"))),
            ("three", value("[1,2,3]"), Err((Reason::WrongKind, "f"))),
            ("none", value("[]"), Err((Reason::WrongKind, "f"))),
            ("null", value("null"), Err((Reason::Missing, "f"))),
            ("a null", value("[1,null]"), Err((Reason::Missing, "f"))),
            ("a string", value(r#"[1,"2"]"#), Err((Reason::WrongKind, "f"))),
            ("an array", value("[[1],2]"), Err((Reason::WrongKind, "f"))),
            ("a number", value("1"), Err((Reason::WrongKind, "f"))),
        ],
    );
}

#[test]
fn an_identity_is_its_text_and_never_a_gap() {
    let plan = json(vec![field("id", key("id"), Kind::Id, true)]);
    let at = |text: &str| format!(r#"{{"id":{text}}}"#).into_bytes();
    let id = |text: &str| decode(&plan, &[at(text)], |_| 1)[0].as_ref().unwrap().ids[0];
    let hash = |text: &str| alluvium_learn::math::hash64(text.as_bytes(), 0);
    assert_eq!(id("12"), hash("12"));
    assert_eq!(id(r#""12""#), hash("12"));
    assert_eq!(id("123456789012345678901234567890"), hash("123456789012345678901234567890"));
    assert_eq!(id(r#""\u0061\/""#), hash("a/"));
    check(
        &plan,
        &[
            ("a fraction", at("1.0"), Err((Reason::WrongKind, "id"))),
            ("an exponent", at("1e3"), Err((Reason::WrongKind, "id"))),
            ("true", at("true"), Err((Reason::WrongKind, "id"))),
            ("null", at("null"), Err((Reason::Missing, "id"))),
            ("empty", at(r#""""#), Err((Reason::Missing, "id"))),
        ],
    );
}

#[test]
fn what_lies_beside_the_value_is_read() {
    let text = Kind::Text { bytes_max: 5 };
    let mut plan = csv(
        &["v"],
        vec![
            field("k", Path::Key, text.clone(), false),
            field("h", Path::Header("h".into()), ANY, true),
            field("t", Path::Time, ANY, false),
            field("p", Path::Partition, Kind::Id, false),
        ],
    );
    plan.time = time(TimeUnit::Milliseconds);
    plan.time.as_mut().unwrap().path = Path::Time;
    let mut headers = Vec::new();
    Headers::encode(&mut headers, "g", b"7");
    Headers::encode(&mut headers, "h", b" 2.5 ");
    let with = Headers::new(&headers);
    let mut batch = Batch::new();
    batch.push(0, 9, Some(b"key"), Some(b"1"), with);
    batch.push(1, 9, Some(b"key"), Some(b"1"), Headers::default());
    batch.push(2, 9, None, Some(b"1"), with);
    batch.push(3, 9, Some(b""), Some(b"1"), with);
    batch.push(4, 9, Some(b"\xff"), Some(b"1"), with);
    batch.push(5, 9, Some(b"longer"), Some(b"1"), with);
    batch.push(6, 9, Some(b"key"), None, with);
    batch.push(7, -1, Some(b"key"), Some(b"1"), with);
    batch.push(8, 9, Some(b"\xff"), Some(b"1,2"), with);
    let mut rows = Rows::default();
    build(&plan).decode(3, &batch, &mut rows);
    let good = Good {
        numbers: vec![2.5f64.to_bits(), 9f64.to_bits()],
        texts: vec![Some("key".into())],
        ids: vec![alluvium_learn::math::hash64(b"3", 0)],
        time: 9,
    };
    assert_eq!(row(&plan, &rows, 0), Ok(good.clone()));
    let gap = Good { numbers: vec![f64::NAN.to_bits(), 9f64.to_bits()], ..good };
    assert_eq!(row(&plan, &rows, 1), Ok(gap));
    use Reason::*;
    let of_key = [Missing, Missing, NotUtf8, TooLarge].map(|reason| (reason, Some(0)));
    let expected =
        of_key.into_iter().chain([(Empty, None), (BadTime, Some(5)), (ColumnCount, None)]);
    for (index, (reason, field)) in expected.enumerate() {
        assert_eq!(row(&plan, &rows, index + 2), Err(Refusal { reason, field }), "{index}");
    }
}
