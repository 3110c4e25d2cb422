//! A line of CSV as its cells, for the few lines that are looked at before there is a decoder.

/// The cells of one line, without their quotes. The verdict on odd quotes is the decoder's: here a
/// quote that never ends takes the rest of the line.
pub fn split(line: &str, delimiter: char) -> Vec<String> {
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let mut rest = line.chars().peekable();
    let mut is_quoted = rest.next_if_eq(&'"').is_some();
    while let Some(next) = rest.next() {
        if is_quoted && next == '"' {
            match rest.next_if_eq(&'"') {
                Some(quote) => cell.push(quote),
                None => is_quoted = false,
            }
        } else if !is_quoted && next == delimiter {
            cells.push(std::mem::take(&mut cell));
            is_quoted = rest.next_if_eq(&'"').is_some();
        } else {
            cell.push(next);
        }
    }
    cells.push(cell);
    cells
}

/// Where the cells of a line end, the last with the line. A quote that never ends takes the rest.
pub fn ends(line: &[u8], delimiter: u8, into: &mut Vec<usize>) {
    into.clear();
    let (mut is_quoted, mut opens) = (false, true);
    for (index, byte) in line.iter().enumerate() {
        let is_quote = *byte == b'"';
        if *byte == delimiter && !is_quoted {
            into.push(index);
            opens = true;
            continue;
        }
        // A quote right after the one that closed a cell is a doubled one: the cell goes on.
        let closes = is_quoted && is_quote;
        is_quoted = is_quoted && !is_quote || opens && is_quote;
        opens = closes;
    }
    into.push(line.len());
}

#[cfg(test)]
mod tests {
    use super::{ends, split};

    #[test]
    fn quotes_hold_delimiters_and_doubled_quotes() {
        assert_eq!(split("a,b", ','), ["a", "b"]);
        assert_eq!(split("", ','), [""]);
        assert_eq!(split("a,", ','), ["a", ""]);
        assert_eq!(split(r#""a,b";"c ""d""""#, ';'), ["a,b", r#"c "d""#]);
        assert_eq!(split("\"a\nb\",c\"d", ','), ["a\nb", "c\"d"]);
        assert_eq!(split("\"never,ends", ','), ["never,ends"]);
    }

    #[test]
    fn cells_end_where_they_are_split() {
        let lines = [
            "a,b",
            "",
            "a,",
            "\"a,b\",c",
            "\"a\"\",b\",c",
            "a\"b,c",
            "\"\",x",
            "\"a\"\"\",\"b\"",
            "\"n,e",
        ];
        for line in lines {
            let mut found = Vec::new();
            ends(line.as_bytes(), b',', &mut found);
            assert_eq!(found.len(), split(line, ',').len(), "{line}");
            assert_eq!(found.last(), Some(&line.len()));
        }
    }
}
